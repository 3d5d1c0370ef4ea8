"""Resolve: which champion to compare with, and which span to read."""
