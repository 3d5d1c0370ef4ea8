"""The service gate: how an export must load and answer before it is pushed."""
