"""Validate: statistics, schema, anomalies, skew and drift: the data gate."""
