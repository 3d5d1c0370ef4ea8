"""The service gate's policy, as `policies.service` in sluice.yaml."""

from __future__ import annotations

from pydantic import Field

from sluice.gates.policy import Policy


class ServicePolicy(Policy):
    """How an export must load and answer before it is pushed.

    Attributes:
        tolerance: largest difference from the trainer's own predictions.
        max_load_seconds: from the start of a fresh process to its readiness.
        max_p99_ms: 99th percentile of the latency of requests of one row, milliseconds.
        max_memory_mb: peak resident memory of the serving process, MiB.
        max_size_mb: size of the artifact, MiB.
        requests: single-row requests sent for the latency.
    """

    tolerance: float = Field(default=1e-5, gt=0)
    max_load_seconds: float = Field(default=120.0, gt=0)
    max_p99_ms: float = Field(default=100.0, gt=0)
    max_memory_mb: float = Field(default=2048.0, gt=0)
    max_size_mb: float = Field(default=1024.0, gt=0)
    requests: int = Field(default=100, ge=20, le=100_000)
