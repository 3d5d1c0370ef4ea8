"""Destinations: where versions are published. `base` is the interface; a module a kind."""
