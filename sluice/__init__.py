"""Sluice: Kubeflow Pipelines components whose gates decide what is served.

Example:
    >>> import sluice
    >>> ingest = sluice.component("ingest")  # a KFP component, for a pipeline of your own
"""

from __future__ import annotations

from typing import Any

from sluice.version import __version__

__all__ = ["__version__", "component", "pipeline"]


def component(name: str) -> Any:
    """A compiled component by name, e.g. ``ingest``; needs `kfp`. Raises `sluice.errors.SluiceError` where there is none."""
    from sluice.client import catalog

    return catalog.component(name)


def pipeline(name: str) -> Any:
    """A compiled pipeline by name, e.g. ``training``; needs `kfp`. Raises `sluice.errors.SluiceError` where there is none."""
    from sluice.client import catalog

    return catalog.pipeline(name)
