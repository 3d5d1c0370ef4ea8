"""Probe: does what would be pushed load and answer? The service gate."""
