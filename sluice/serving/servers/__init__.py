"""Servers that the probe starts, a module each; `bare_*` and `kserve_*` are scripts that import nothing of ours."""
