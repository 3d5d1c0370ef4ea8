"""Training: labels, trainers, and the model artifact they export."""
