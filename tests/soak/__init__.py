"""Long checks of concurrency: `make soak`."""
