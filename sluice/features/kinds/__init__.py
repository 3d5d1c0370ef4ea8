"""Kinds of features: each is set from the statistics, and makes columns of numbers and ids in the graph."""
