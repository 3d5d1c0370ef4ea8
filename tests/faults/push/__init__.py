"""Faults in the middle of a push."""
