"""Ingest: from any table to split Parquet examples with a manifest."""
