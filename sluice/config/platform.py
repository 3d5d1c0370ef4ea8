"""Where and how a pipeline runs: resources per stage, and what a cluster needs to know."""

from __future__ import annotations

from pydantic import Field

from sluice.config.base import Strict


class Resources(Strict):
    """What one stage may use.

    Attributes:
        cpu: CPU limit, Kubernetes notation.
        memory: memory limit, Kubernetes notation.
        accelerator: accelerator type, e.g. ``NVIDIA_TESLA_T4`` on Vertex AI or ``nvidia.com/gpu`` on Kubernetes.
        accelerators: number of them.
        retries: how often a failed stage is tried again.
    """

    cpu: str | None = Field(default=None, pattern=r"^[0-9]+(\.[0-9]+)?m?$")
    memory: str | None = Field(default=None, pattern=r"^[0-9]+(Ki|Mi|Gi|Ti|K|M|G|T)?$")
    accelerator: str | None = None
    accelerators: int = Field(default=0, ge=0)
    retries: int = Field(default=0, ge=0)


class Platform(Strict):
    """What a cluster needs to know."""
