"""Sluice: Kubeflow Pipelines components whose gates decide what is served."""

__version__ = "0.1.0"
