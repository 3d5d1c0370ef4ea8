"""Evaluate: the candidate against the champion on the same rows: the model gate."""
