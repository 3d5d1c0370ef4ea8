"""What the service gate judges: what a fresh server did with the export."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Talk:
    """What was said over one protocol.

    Attributes:
        protocol: its name; empty for a bare process, which has but one.
        asked: golden rows that were sent.
        answered: golden rows that were answered.
        difference: largest absolute difference from the trainer's predictions; None where none was answered.
        latencies: milliseconds of the single-row requests.
        malformed: description of a malformed request to whether it was refused and the server lived on.
    """

    protocol: str = ""
    asked: int = 0
    answered: int = 0
    difference: float | None = None
    latencies: tuple[float, ...] = ()
    malformed: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Soak:
    """What became of a steady rate of requests.

    Attributes:
        seconds: how long.
        asked: requests sent.
        failed: requests not answered, or answered by an error.
        latencies: milliseconds of those answered.
        growth: resident memory gained, in bytes.
    """

    seconds: float
    asked: int
    failed: int
    latencies: tuple[float, ...]
    growth: int


@dataclass(frozen=True)
class ServiceEvidence:
    """What was seen when the export was asked.

    Attributes:
        server: what loaded it, and its version.
        image: the image that it ran in; empty outside of one.
        loaded: whether it loaded, and lived to the end.
        failure: what it said if it did not load or died.
        size: bytes of the artifact.
        load_seconds: from the start of the process to its readiness.
        talks: what was said, a protocol each.
        throughput: requests answered per second by several clients at once; None where nobody asked.
        soak: what became of a steady rate; None where nobody asked.
        warmup: warm-up requests in the artifact that were answered, and how many there are; None where there are none.
        memory: peak resident memory of the serving process, in bytes.
    """

    server: str
    loaded: bool
    image: str = ""
    failure: str = ""
    size: int = 0
    load_seconds: float = 0.0
    talks: tuple[Talk, ...] = ()
    throughput: float | None = None
    soak: Soak | None = None
    warmup: tuple[int, int] | None = None
    memory: int = 0
