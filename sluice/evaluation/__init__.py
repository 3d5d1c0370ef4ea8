"""Evaluation: predictions, metrics, slices and resamples: the evidence for the model gate."""
