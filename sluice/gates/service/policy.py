"""The service gate's policy, as `policies.service` in sluice.yaml."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from sluice.gates.policy import Policy


class Server(StrEnum):
    """What the export is loaded by.

    ``process``: a bare fresh process, no server. ``kserve``: KServe's Python server. ``tensorflow_serving``:
    ``tensorflow_model_server``, which has to be on the PATH.
    """

    PROCESS = "process"
    KSERVE = "kserve"
    TENSORFLOW_SERVING = "tensorflow_serving"


class Protocol(StrEnum):
    """How a server is asked: KServe's V1 (TensorFlow Serving's REST as well) and V2 over REST, or the server's own gRPC."""

    V1 = "v1"
    V2 = "v2"
    GRPC = "grpc"


SPOKEN = {
    Server.PROCESS: (),
    Server.KSERVE: (Protocol.V1, Protocol.V2, Protocol.GRPC),
    Server.TENSORFLOW_SERVING: (Protocol.V1, Protocol.GRPC),
}
"""Which protocols each server speaks; a bare process has its own."""


class ServicePolicy(Policy):
    """How an export must load and answer before it is pushed. A budget of 0 asks nothing.

    Attributes:
        server: what loads it.
        protocols: how it is asked; empty: by every protocol that the server speaks.
        tolerance: largest difference from the trainer's own predictions.
        max_load_seconds: from the start of a fresh process to its readiness.
        max_p50_ms: median of the latency of requests of one row, milliseconds.
        max_p95_ms: 95th percentile of that latency, milliseconds.
        max_p99_ms: 99th percentile of that latency, milliseconds.
        min_throughput: requests of one row answered per second, with `clients` asking at once.
        clients: clients that ask at once for the throughput.
        max_memory_mb: peak resident memory of the serving process, MiB; a process that takes more is stopped.
        max_size_mb: size of the artifact, MiB.
        requests: single-row requests sent for the latency, over each protocol.
        soak_seconds: how long it is asked at a steady rate; 0: not at all.
        soak_rate: requests per second of the soak.
        max_soak_growth_mb: resident memory that it may gain in the soak, MiB.
    """

    server: Server = Server.PROCESS
    protocols: tuple[Protocol, ...] = ()
    tolerance: float = Field(default=1e-5, gt=0)
    max_load_seconds: float = Field(default=120.0, gt=0)
    max_p50_ms: float = Field(default=0.0, ge=0)
    max_p95_ms: float = Field(default=0.0, ge=0)
    max_p99_ms: float = Field(default=100.0, ge=0)
    min_throughput: float = Field(default=0.0, ge=0)
    clients: int = Field(default=4, ge=1, le=256)
    max_memory_mb: float = Field(default=2048.0, gt=0)
    max_size_mb: float = Field(default=1024.0, gt=0)
    requests: int = Field(default=100, ge=20, le=100_000)
    soak_seconds: float = Field(default=0.0, ge=0)
    soak_rate: float = Field(default=20.0, gt=0, le=10_000)
    max_soak_growth_mb: float = Field(default=64.0, gt=0)

    @model_validator(mode="after")
    def _spoken(self) -> Self:
        spoken = SPOKEN[self.server]
        for protocol in self.protocols:
            if protocol not in spoken:
                known = ", ".join(spoken) or "none of them: it is asked over its standard streams"
                raise ValueError(f"{self.server} does not speak {protocol}; it speaks {known}")
        return self

    @property
    def asked(self) -> tuple[Protocol, ...]:
        """The protocols by which the server is asked."""
        return self.protocols or SPOKEN[self.server]
