"""The model gate against planted models, and its error rates by simulation."""
