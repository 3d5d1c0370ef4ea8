"""The `sluice` command: check a use case, run it here, compile and submit it. Never imports TensorFlow."""
