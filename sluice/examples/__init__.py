"""Examples: sources, spans, splits, and the artifact that ingest writes."""
