"""The data gate: what examples must be before anything is trained on them."""
