"""What every stage has in common: quiet libraries, errors for people, artifacts by path and metadata."""

from __future__ import annotations

import errno
import functools
import logging
import os
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from sluice import digest, storage
from sluice.config.base import whole_numbers
from sluice.config.explain import explain
from sluice.errors import SluiceError
from sluice.examples.manifest import Manifest
from sluice.features.transformed import Transformed
from sluice.gates.verdict import VERDICT_FILE, Mode, Outcome, Status, Verdict
from sluice.modules import UserCodeError
from sluice.promotion.signature import sign_if_asked
from sluice.run import RUN_ID, reference, run_of

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)

GATE_STEPS = {"data": "validate", "model": "evaluate", "service": "probe"}
"""Gate to the step that gives its verdict."""
DIGEST, FORMAT = "digest", "format"
"""Keys of an artifact's metadata."""
FAILURE_MARK = "✗ "
OPEN, CLOSED = "open", "closed"
FULL = os.strerror(errno.ENOSPC)


class Artifact(Protocol):
    """What a stage needs of a KFP artifact: a local path, and metadata that travels with it."""

    path: str
    uri: str
    metadata: dict[str, Any]


class Metrics(Artifact, Protocol):
    """KFP's Metrics artifact."""

    def log_metric(self, metric: str, value: float) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class RunRecord:
    """What an entry of the ledger says of the run that wrote it, as the component gets it.

    Attributes:
        name: the use case.
        span: the span, in explicit form.
        run: the run's display name.
        run_id: its ID on its service.
        run_page: address of its page, with ``{id}`` and ``{name}`` where ID and display name go.
        facts: who, commit, ...
    """

    name: str
    span: str
    run: str
    run_id: str
    run_page: str
    facts: dict[str, Any]

    def fields(self) -> dict[str, Any]:
        """Fields of an entry."""
        run = reference(self.run, os.environ.get(RUN_ID, self.run_id), self.run_page)
        return {"use_case": self.name, "span": self.span, "run": run, "facts": self.facts}


class Gate(NamedTuple):
    """What a gate tells the graph: the verdict's status, and whether what follows runs (``open`` or ``closed``)."""

    status: str
    gate: str


def stage(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function a stage: a user's mistake ends it with one message and exit status 1, not with a traceback."""
    name = function.__module__.rpartition(".")[2]

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        quiet()
        try:
            return function(*args, **kwargs)
        except SluiceError as error:
            if isinstance(error, UserCodeError):
                traceback.print_exception(error.__cause__)
            message = str(error)
        except Exception as error:
            if FULL in str(error):
                message = f"{_full(error)}\n  free some, or give the stage a larger disk, and run again"
            elif told := storage.told(error):
                message = str(told)
            else:
                raise
        print(f"{FAILURE_MARK}{name}: {message}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(1)

    return run


def _full(error: Exception) -> str:
    """That the disk is full, and where, if the error tells: TensorFlow and the stores have errors of their own for it."""
    named = re.search(rf"(/[^\s;]+); {FULL}", str(error))
    place = getattr(error, "filename", None) or (named[1] if named else "")
    return f"the disk is full ({place})" if place else "the disk is full"


def quiet() -> None:
    """Keep the start-up noise of TensorFlow and Beam out of the logs; errors still come through."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same sums on every CPU
    for library in ("absl", "apache_beam", "tensorflow", "root"):
        logging.getLogger(library if library != "root" else None).setLevel(logging.ERROR)


def parse(model: type[M], value: Any, name: str) -> M:
    """Check a struct parameter against its model; whole numbers are integers, whatever carried them (`whole_numbers`).

    Raises:
        SluiceError: it does not fit; names the parameter, the path inside it and what is expected.
    """
    try:
        return model.model_validate(whole_numbers(value))
    except ValidationError as error:
        raise SluiceError(explain(error, model), where=f"parameter {name}") from None


def taken(artifact: Artifact, name: str, made_by: str, digest_of: Callable[[Path], str] = digest.of_tree) -> Path:
    """The folder of an input artifact, which holds what its metadata says that it holds.

    KFP keeps metadata with the service, not with the bytes: an artifact that was replaced as a whole is seen as well. One
    whose metadata names no digest (imported, or written by an earlier release) is taken as it is.

    Args:
        artifact: the input.
        name: what the step calls it.
        made_by: the step that made it.
        digest_of: the digest that the metadata names, from the folder.

    Raises:
        SluiceError: its content has another digest.
    """
    folder, expected = Path(artifact.path), artifact.metadata.get(DIGEST)
    if expected and (found := digest_of(folder)) != expected:
        raise SluiceError(f"{name} is not what {made_by} wrote: it was changed or swapped ({expected} expected, {found} found)",
                          where=str(folder), remedy=f"run {made_by} again, and the steps after it")  # fmt: skip
    return folder


def taken_examples(artifact: Artifact) -> Path:
    """The folder of the examples, whose manifest has the digest and the format that the metadata names.

    Raises:
        SluiceError: it has others, or was edited.
    """

    def digest_of(folder: Path) -> str:
        manifest = Manifest.load(folder)
        # Format 1 names a digest of its own: it must not replace the manifest that ingest wrote.
        return (
            manifest.digest if manifest.format >= int(artifact.metadata.get(FORMAT, 1)) else f"format {manifest.format}"
        )

    return taken(artifact, "examples", "ingest", digest_of)


def taken_verdict(artifact: Artifact, name: str) -> Path:
    """The folder of a verdict, whose ``verdict.json`` has the digest that the metadata names.

    Raises:
        SluiceError: it has another, or is missing.
    """

    def digest_of(folder: Path) -> str:
        file = folder / VERDICT_FILE
        return digest.of_file(file) if file.is_file() else "nothing"

    return taken(artifact, name, GATE_STEPS.get(artifact.metadata.get("gate", ""), "the gate"), digest_of)


def present(artifact: Artifact, name: str) -> Path | None:
    """The folder of an artifact of the champion, or None where `resolve` found no champion.

    Raises:
        SluiceError: as for `taken`.
    """
    folder = taken(artifact, name, "resolve")
    return None if (folder / "none.json").exists() else folder


def taken_transformed(artifact: Artifact) -> Path:
    """The folder of transformed examples, whose manifest is that of the metadata; `train` checks the arrays that it lists.

    Raises:
        SluiceError: it is another.
    """
    return taken(artifact, "transformed", "transform", lambda folder: Transformed.load(folder).tree_digest(folder))


def record(*artifacts: Artifact) -> None:
    """Put the digest of what was written into the metadata of output artifacts, for `taken` in the steps after this one."""
    for artifact in artifacts:
        path = Path(artifact.path)
        artifact.metadata[DIGEST] = digest.of_file(path) if path.is_file() else digest.of_tree(path)


def close(verdict: Verdict, artifact: Artifact, run_page: str = "") -> Gate:
    """Save and sign a verdict, mirror it in the artifact's metadata and tell the graph; in ``fail`` mode a closed gate raises.

    The verdict names the run that judged. Its ID is taken from the artifact's URI: as a parameter it would differ in each
    run, and no service would take the gate, or a step after it, from its cache.

    Args:
        verdict: the verdict.
        artifact: where it goes.
        run_page: address of a run's page, with ``{id}`` where its ID goes.

    Raises:
        SluiceError: the gate is closed and its mode is ``fail``; the message holds the reasons.
    """
    run = run_of(getattr(artifact, "uri", ""))
    verdict = verdict.model_copy(update={"run": reference("", run, run_page)})
    verdict.save(Path(artifact.path))
    sign_if_asked(Path(artifact.path))
    artifact.metadata.update(
        gate=verdict.gate,
        status=str(verdict.status),
        digest=verdict.digest,
        policy_digest=verdict.policy_digest,
        bootstrap=verdict.bootstrap,
        rules=len(verdict.reasons),
        warnings=sum(r.outcome is not Outcome.PASSED and not r.closes for r in verdict.reasons),
        reasons=[r.sentence for r in verdict.reasons if r.closes],
        **{f"subject_{name}": subject for name, subject in verdict.subjects.items()},
    )
    mode = Mode(verdict.policy["mode"])
    if not verdict.blessed and mode is Mode.FAIL:
        reasons = "\n  ".join(r.sentence for r in verdict.reasons if r.closes)
        raise SluiceError(f"the {verdict.gate} gate says {verdict.status}\n  {reasons}")
    is_open = verdict.status is Status.BLESSED or mode is Mode.REPORT
    return Gate(status=str(verdict.status), gate=OPEN if is_open else CLOSED)
