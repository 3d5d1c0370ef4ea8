"""Pipelines: compositions of the components."""
