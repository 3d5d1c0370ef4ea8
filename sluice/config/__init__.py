"""Configuration: ``sluice.yaml`` and the models that hold its defaults."""
