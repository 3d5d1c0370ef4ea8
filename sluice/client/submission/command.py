"""`sluice submit | schedule | status | logs | cancel`.

Exit status: 0 done; 1 a mistake, nothing was started; 2 wrong usage; 5 the run failed; 6 it was cancelled; 7 the service
cannot be reached or has no room: the same command may succeed later.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.client.exit_status import ExitStatus
from sluice.client.options import Config, Overrides, parse_overrides
from sluice.client.submission.cron import next_times, shown
from sluice.client.submission.request import ServiceError
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from rich.console import Console

    from sluice.client.submission.request import Run, Target, Work
    from sluice.config.usecase import UseCase


class Where(StrEnum):
    """Which service."""

    VERTEX = "vertex"
    KUBEFLOW = "kubeflow"


POLL, PATIENCE = 10.0, 600.0
"""Seconds between two looks at a run, and for how long it may be out of sight."""
MARKS = {"succeeded": "[green]✓[/]", "failed": "[red]✗[/]", "cancelled": "[yellow]-[/]", "skipped": "[dim]-[/]"}
NO_IMAGE = re.compile(
    r"(?i)image\b.*(not found|not exist|cannot be pulled)|ImagePullBackOff|ErrImagePull|manifest unknown"
)
"""How Vertex AI and Kubernetes tell that an image cannot be pulled."""
CODES = {"failed": ExitStatus.FAILED, "cancelled": ExitStatus.CANCELLED}

Service = Annotated[Where, typer.Argument(help="Which service.")]
RunId = Annotated[str, typer.Argument(help="The run's ID, as `sluice submit` prints it.")]
Span = Annotated[str, typer.Option(help="[b]next[/b], [b]latest[/b], [b]4[/b] or [b]2-4[/b].")]
Pipeline = Annotated[
    Path | None, typer.Option(help="A compiled pipeline of your own, sent as it is; default: training.")
]


def submit(
    where: Service,
    config: Config = Path("sluice.yaml"),
    span: Span = "next",
    overrides: Overrides = None,
    pipeline: Pipeline = None,
    key: Annotated[str, typer.Option(help="Idempotency key: a second submission under it starts nothing.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, and tell every step.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the request, and send nothing.")] = False,
) -> None:
    """Start a run on Vertex AI or Kubeflow, with images, resources and settings from the use case's platform section.

    Exit status: 0 started (with --wait: succeeded), 1 a mistake, 5 the run failed, 6 it was cancelled, 7 try again later.

    Example: sluice submit vertex --config examples/flights --span latest --key build-42 --wait
    """
    target, work = _prepared(where, config, overrides, pipeline, span, key)
    if dry_run:
        typer.echo(json.dumps(target.request(work), indent=2))
        return
    _warn_of_tags(work)
    try:
        run = target.submit(work)
    except ServiceError as error:  # an answer may be lost on its way back
        raise ServiceError(error.what, where=error.where,
                           remedy=f"{error.remedy}; with --key {work.key} no run is started twice") from None  # fmt: skip
    typer.echo(f"{'already submitted' if run.known else 'submitted'}: {run.id}  {run.url}".rstrip())
    if wait:
        _follow(target, run)


def schedule(
    where: Service,
    cron: Annotated[str, typer.Argument(help="When, e.g. [b]'0 3 * * 1'[/b]: Mondays at three (UTC).")],
    config: Config = Path("sluice.yaml"),
    span: Span = "next",
    overrides: Overrides = None,
    pipeline: Pipeline = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the request, and send nothing.")] = False,
) -> None:
    """Start a run whenever the time comes; never two at once. The same use case at the same times is scheduled once.

    Example: sluice schedule kubeflow "0 3 * * 1" --config examples/flights
    """
    times = next_times(cron, datetime.now(UTC), seconds=where is Where.KUBEFLOW)
    target, work = _prepared(where, config, overrides, pipeline, span, "")
    if dry_run:
        comes = [time.isoformat() for time in times]
        typer.echo(json.dumps({"cron": cron, "next": comes, **target.request(work)}, indent=2))
        return
    _warn_of_tags(work)
    scheduled = target.schedule(work, cron)
    if scheduled.known:
        typer.echo(
            f"already scheduled: {scheduled.id}\n  to replace it: sluice cancel {where} {scheduled.id}, and schedule it again"
        )
    else:
        typer.echo(f"scheduled: {scheduled.id}")
    typer.echo(f"  next: {shown(times)}")


def status(where: Service, run: RunId, config: Config = Path("sluice.yaml"), overrides: Overrides = None) -> None:
    """Tell what has become of a run and its steps. Exit status as `sluice submit --wait`.

    Example: sluice status vertex flights-build-42 --config examples/flights
    """
    found = _target(where, _use_case(config, overrides)).get(run)
    _show(_console(), found)
    raise typer.Exit(CODES.get(found.state, 0))


def logs(
    where: Service,
    run: RunId,
    step: Annotated[str, typer.Argument(help="Which step; default: those that failed, or else all.")] = "",
    config: Config = Path("sluice.yaml"),
    overrides: Overrides = None,
) -> None:
    """Print the logs of a run's steps.

    Example: sluice logs kubeflow 6a0f... train --config examples/flights
    """
    target = _target(where, _use_case(config, overrides))
    found = target.get(run)
    wanted = (
        [item for item in found.steps if item.name == step]
        if step
        else [item for item in found.steps if item.state == "failed"]
    )
    if step and not wanted:
        known = ", ".join(item.name for item in found.steps) or "none has started"
        raise SluiceError(f"no step {step!r}", where=run, remedy=f"steps: {known}")
    for item in wanted or found.steps:
        for line in target.logs(found, item):
            typer.echo(f"[{item.name}] {line}")
        if item.error:
            typer.echo(f"[{item.name}] {item.error}")


def cancel(where: Service, run: RunId, config: Config = Path("sluice.yaml"), overrides: Overrides = None) -> None:
    """End a run; one that has ended stays as it is. With the ID of a schedule: end that.

    Example: sluice cancel vertex flights-build-42 --config examples/flights
    """
    target = _target(where, _use_case(config, overrides))
    if "schedules/" in run:
        target.unschedule(run)
        typer.echo(f"{run}: ended")
        return
    found = target.cancel(run)
    typer.echo(f"{found.id}: {found.state}")


def _use_case(config: Path, overrides: list[str] | None) -> UseCase:
    from sluice.config.load import load

    return load(config, parse_overrides(overrides))


def _target(where: Where, use_case: UseCase) -> Target:
    if where is Where.VERTEX:
        from sluice.client.submission.vertex import VertexPipelines

        return VertexPipelines(use_case)
    from sluice.client.submission.kubeflow import KubeflowPipelines

    return KubeflowPipelines(use_case)


def _prepared(
    where: Where, config: Path, overrides: list[str] | None, pipeline: Path | None, span: str, key: str
) -> tuple[Target, Work]:
    """Everything that can be wrong here is, before anything is sent."""
    from sluice.client import catalog
    from sluice.client.submission.request import work
    from sluice.config.load import provenance

    use_case = _use_case(config, overrides)
    file = pipeline or catalog.path("pipelines", "training")
    if not file.is_file():
        raise SluiceError("no such file", where=str(file), remedy="compile it first: sluice compile")
    facts = provenance(config if config.is_dir() else config.parent)
    target = _target(where, use_case)
    made = work(use_case, file, span=span, key=key, facts=facts, run_page=target.run_page, pods=where is Where.KUBEFLOW,
                own=pipeline is not None)  # fmt: skip
    if where is Where.VERTEX and len(made.documents) > 1:
        raise SluiceError("the pipeline has a second document, with settings of pods: Vertex AI refuses it", where=str(file),
                          remedy="take the portable build, e.g. build/pipelines/training.yaml")  # fmt: skip
    return target, made


def _warn_of_tags(work: Work) -> None:
    from sluice.client.submission.request import by_tag

    if tags := by_tag(work.documents):
        typer.echo(f"note: {len(tags)} images are named by tag ({tags[0]}); name digests in platform.digests, so that "
                   "what runs is what was tested", err=True)  # fmt: skip


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _follow(target: Target, run: Run) -> None:
    """Tell every step as it ends; the exit status tells the run's end."""
    console, start = _console(), time.monotonic()
    again = f"sluice status {_kind(target)} {run.id}"
    try:
        run = _watched(target, run, console)
    except KeyboardInterrupt:
        console.print(f"{run.id} goes on; see what becomes of it: {again}")
        raise typer.Exit(130) from None
    except SluiceError as error:  # nothing is wrong with the run
        raise ServiceError(f"{error.what}; the run goes on", where=error.where,
                           remedy=f"{error.remedy}; see what becomes of it: {again}") from None  # fmt: skip
    console.print(
        f"{run.id}: {run.state} after {time.monotonic() - start:.0f} s{f': {run.error}' if run.error else ''}"
    )
    if run.state == "failed":
        _advise(console, run)
        console.print(f"  see its log: sluice logs {_kind(target)} {run.id}")
    raise typer.Exit(CODES.get(run.state, 0))


def _watched(target: Target, run: Run, console: Console) -> Run:
    """Look at a run until it has ended; a service that does not answer for a while is asked again."""
    told, start = set[str](), time.monotonic()
    answered = start
    with console.status("waiting for the first step") as spinner:
        while not run.state.ended:
            try:
                run = target.get(run.id)
                answered = time.monotonic()
            except ServiceError:
                if time.monotonic() - answered >= PATIENCE:
                    raise
            for step in run.steps:
                if step.state.ended and step.name not in told:
                    told.add(step.name)
                    console.print(f"{MARKS[step.state]} {step.name}{f': {step.error}' if step.error else ''}")
            working = ", ".join(step.name for step in run.steps if not step.state.ended) or str(run.state)
            spinner.update(f"{working}, {time.monotonic() - start:.0f} s")
            if not run.state.ended:
                time.sleep(POLL)
    return run


def _kind(target: Any) -> str:
    return Where.VERTEX if type(target).__name__.startswith("Vertex") else Where.KUBEFLOW


def _show(console: Console, run: Run) -> None:
    console.print(f"{run.id}: {run.state}{f': {run.error}' if run.error else ''}")
    for step in run.steps:
        console.print(
            f"  {MARKS.get(step.state, '·')} {step.name:<24}{step.state}{f': {step.error}' if step.error else ''}"
        )
    _advise(console, run)
    if run.url:
        console.print(f"  {run.url}", style="dim")


def _advise(console: Console, run: Run) -> None:
    """What to do about an image that is not there: no log tells of it."""
    if any(NO_IMAGE.search(said) for said in (run.error, *(step.error for step in run.steps))):
        console.print("  push the images (make images), and check platform.registry, tag and digests")
