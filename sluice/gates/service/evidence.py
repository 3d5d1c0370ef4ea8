"""What the service gate judges: what a fresh process did with the export."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ServiceEvidence:
    """What was seen when the export was asked.

    Attributes:
        server: what loaded it, and its version.
        loaded: whether it loaded.
        failure: what it said if it did not load or died.
        size: bytes of the artifact.
        load_seconds: from the start of the process to its readiness.
        answered: golden rows that were answered.
        asked: golden rows that were sent.
        difference: largest absolute difference from the trainer's predictions; None where none was answered.
        latencies: milliseconds of the single-row requests.
        memory: peak resident memory of the serving process, in bytes.
        malformed: description of a malformed request to whether it was refused and the server lived on.
    """

    server: str
    loaded: bool
    failure: str = ""
    size: int = 0
    load_seconds: float = 0.0
    answered: int = 0
    asked: int = 0
    difference: float | None = None
    latencies: tuple[float, ...] = ()
    memory: int = 0
    malformed: dict[str, bool] = field(default_factory=dict)
