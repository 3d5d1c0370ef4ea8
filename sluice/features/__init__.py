"""Features: what a model sees, and the preprocessing that makes it."""
