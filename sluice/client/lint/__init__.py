"""Lint: what a target would refuse or get wrong in a compiled pipeline, and gates that are passed by."""
