"""Benchmarks: figures measured here, side by side in one run, as ratios. `make bench` runs them; CI does not."""
