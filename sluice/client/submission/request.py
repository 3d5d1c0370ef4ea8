"""What is submitted: a compiled pipeline completed by the use case, its arguments, and a name that a second try finds."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from sluice import storage
from sluice.client import settings
from sluice.client.compile import IMAGE_VARIABLE, Images
from sluice.config.load import arguments
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.config.usecase import UseCase

REGISTRY = re.compile(r"^([a-z0-9.-]+\.[a-z]{2,}|[a-z0-9.-]+:[0-9]+|localhost)/")


class State(StrEnum):
    """What has become of a run or of one of its steps."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.PENDING, State.RUNNING)


@dataclass(frozen=True)
class Step:
    """A step of a run: its name, its state, what it said if it failed, and what its log is found by."""

    name: str
    state: State
    error: str = ""
    log: str = ""


@dataclass(frozen=True)
class Run:
    """A run as the service tells it.

    Attributes:
        id: by which `status`, `logs` and `cancel` find it.
        state: its state.
        steps: its steps that have started.
        error: why it failed.
        url: where a browser shows it.
        known: whether it was there already when it was submitted.
    """

    id: str
    state: State
    steps: tuple[Step, ...] = ()
    error: str = ""
    url: str = ""
    known: bool = False


@dataclass(frozen=True)
class Schedule:
    """A schedule: its ID, by which `cancel` finds it, and whether it was there already."""

    id: str
    known: bool = False


class ServiceError(SluiceError):
    """The service cannot be reached, has no room or is not well: the same command may succeed later."""

    exit_status = 7


class Target(Protocol):
    """A service that runs pipelines."""

    @property
    def run_page(self) -> str:
        """Address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go; empty where there is none."""

    def request(self, work: Work) -> dict[str, Any]:
        """The request that `submit` would send, as plain JSON."""

    def submit(self, work: Work) -> Run:
        """Start a run, or find the one that was started under the same key."""

    def schedule(self, work: Work, cron: str) -> Schedule:
        """Start a run whenever the cron expression says; a use case has one schedule for the same times."""

    def unschedule(self, schedule: str) -> None:
        """End a schedule; runs that it has started go on."""

    def get(self, run: str) -> Run:
        """A run's state."""

    def cancel(self, run: str) -> Run:
        """End a run."""

    def logs(self, run: Run, step: Step) -> Iterator[str]:
        """The lines of a step's log."""


@dataclass(frozen=True)
class Work:
    """What is submitted.

    Attributes:
        use_case: the use case.
        name: name of the run: the use case's, and the key.
        documents: the pipeline's documents.
        arguments: its arguments.
    """

    use_case: UseCase
    name: str
    documents: tuple[dict[str, Any], ...]
    arguments: dict[str, Any]

    @property
    def key(self) -> str:
        """The key under which the same run is found again."""
        return self.name.removeprefix(f"{self.use_case.name}-")

    @contextlib.contextmanager
    def file(self) -> Iterator[str]:
        """The pipeline as a file, as the services' clients want it."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "pipeline.yaml"
            path.write_text(yaml.safe_dump_all(self.documents))
            yield str(path)


def work(
    use_case: UseCase,
    pipeline: Path,
    *,
    span: str,
    key: str,
    facts: dict[str, str],
    run_page: str,
    pods: bool,
    own: bool,
) -> Work:
    """Complete a compiled pipeline for submission.

    Args:
        use_case: its resources, images and arguments.
        pipeline: the compiled pipeline.
        span: the span to train on.
        key: idempotency key; empty: a new one.
        facts: for the record.
        run_page: address of a run's page (see `Target.run_page`).
        pods: whether the settings of pods go along (Kubeflow).
        own: whether the pipeline is the user's, and is left as it is.

    Raises:
        SluiceError: an image cannot be pulled, or a URI cannot be reached, from a cluster.
    """
    platform = use_case.platform
    spec, *more = yaml.safe_load_all(pipeline.read_text())
    if not own:
        images = Images(platform.registry, platform.tag, platform.digests)
        for executor in spec["deploymentSpec"]["executors"].values():
            container = executor["container"]
            container["image"] = images.complete(container["image"])
            container["env"] = [item for item in container.get("env", []) if item["name"] != IMAGE_VARIABLE]
            container["env"].append({"name": IMAGE_VARIABLE, "value": container["image"]})
        settings.settle(spec, use_case.resources)
        more = [settings.kubernetes_document(spec, platform.kubernetes)] if pods else []
    _pullable(spec)
    _reachable(use_case)
    given = arguments(use_case, span, facts, run_page=run_page)
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return Work(
        use_case,
        f"{use_case.name}-{_slug(key)}",
        (spec, *more),
        {k: v for k, v in given.items() if not own or k in known},
    )


def by_tag(documents: tuple[dict[str, Any], ...]) -> list[str]:
    """Images that are named by a tag, which may mean another image tomorrow."""
    executors = documents[0]["deploymentSpec"]["executors"].values()
    return sorted({image for executor in executors if "@sha256:" not in (image := executor["container"]["image"])})


def _slug(key: str) -> str:
    """A key as both services take it in a name: lower-case letters, digits and hyphens, at most 40."""
    if not key:
        return uuid.uuid4().hex[:12]
    slug = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")
    return (
        slug
        if slug == key and len(slug) <= 40
        else f"{slug[:27]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}".lstrip("-")
    )


def _pullable(spec: dict[str, Any]) -> None:
    for executor in spec["deploymentSpec"]["executors"].values():
        image = executor.get("container", {}).get("image", "")
        if image and not REGISTRY.match(image):
            raise SluiceError(f"the image {image!r} names no registry: a cluster cannot pull it", where="platform.registry",
                              remedy="push the images (make images), and set platform.registry to where they are")  # fmt: skip


def _reachable(use_case: UseCase) -> None:
    """Local paths are those of this machine, unless a volume is mounted there."""
    mounts = tuple(f"{volume.mount.rstrip('/')}/" for volume in use_case.platform.kubernetes.volumes)
    uris = [("source.uri", use_case.source.uri), ("ledger", use_case.ledger),
            *(("destination", uri) for uri in use_case.destination)]  # fmt: skip
    for name, uri in uris:
        if uri and storage.is_local(uri) and not (mounts and str(storage.local_path(uri)).startswith(mounts)):
            raise SluiceError(f"{uri!r} is a path on this machine: a cluster does not reach it", where=name,
                              remedy=f"use a gs://, s3:// or az:// URI, e.g. --set {name}=gs://my-bucket/...")  # fmt: skip
