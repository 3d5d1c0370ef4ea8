"""Train: a model that carries its own preprocessing."""
