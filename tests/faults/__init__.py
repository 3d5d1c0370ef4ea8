"""How good the gates are: planted faults, and how often a gate cries wolf. `make faults` prints the tables."""
