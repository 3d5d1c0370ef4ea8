"""Models on disk: what a model artifact says of itself, and how anything downstream asks it for predictions."""
