"""What tests of submission share: how a command ended, what a service was asked to start, no credentials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """The runs that Vertex AI's stand-in, or Kubeflow's, has."""
    return list((service.jobs if hasattr(service, "jobs") else service.runs).values())
