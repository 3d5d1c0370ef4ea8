"""Push: publish what three verdicts blessed, and nothing else."""
