"""Statistics of examples, schemas, and the evidence for the data gate."""
