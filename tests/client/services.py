"""What tests of submission share: how a command ended, what a service was asked to start, no credentials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.vertex_pipelines import VertexPipelines

ROOT = Path(__file__).parents[2]

DIGESTS = {"light": "sha256:" + "a" * 64, "tensorflow": "sha256:" + "b" * 64}
STEPS = {"resolve", "ingest", "validate", "transform", "train", "evaluate", "probe", "push", "refuse", "refuse-2"}


@dataclass
class Result:
    """What a command said and how it ended."""

    code: int
    out: str


def no_credentials(*_: Any, **__: Any) -> Any:
    """A machine without Google credentials."""
    from google.auth.exceptions import DefaultCredentialsError

    raise DefaultCredentialsError("no")


def forget_credentials() -> None:
    from google.cloud import aiplatform

    aiplatform.initializer.global_config._credentials = None


def started(service: Any) -> list[Any]:
    return list(service.jobs.values() if isinstance(service, VertexPipelines) else service.runs.values())
