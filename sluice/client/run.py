"""`sluice run`: the training pipeline on this machine, the same compiled YAML that a cluster runs."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.client.options import Config, Overrides
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from sluice.client.local import Observer, Run
    from sluice.client.result import RunResult
    from sluice.config.usecase import UseCase


class Runner(StrEnum):
    """Where steps run."""

    PROCESSES = "processes"
    CONTAINERS = "containers"


def run(
    config: Config = Path("sluice.yaml"),
    span: Annotated[
        str,
        typer.Option(help="[b]next[/b] (the window after the one judged last), [b]latest[/b], [b]4[/b] or [b]2-4[/b]."),
    ] = "next",
    runs: Annotated[Path, typer.Option(help="Folder for artifacts and logs.")] = Path("runs"),
    overrides: Overrides = None,
    runner: Annotated[
        Runner,
        typer.Option(help="Steps as [b]processes[/b] in their environments, or in [b]containers[/b] of their images."),
    ] = Runner.PROCESSES,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; what happens goes to standard error.")
    ] = False,
) -> None:
    """Run the training pipeline on this machine, without Docker and without a server.

    Each step runs in the interpreter that stands for its image. Ends with the gates' verdicts and where the model,
    the ledger and the reports are.

    Exit status: 0 promoted, 3 refused (a gate says NOT_BLESSED, or the pusher refused), 4 refused (INCONCLUSIVE), 5 a step
    failed, 1 a mistake and nothing was started, 130 interrupted.

    Example: sluice run --config examples/flights --span 2-4 --set trainer.steps=200
    """
    from rich.console import Console

    from sluice.client.options import parse_overrides
    from sluice.client.processes import interruptible
    from sluice.client.result import result
    from sluice.client.summary import Progress, summarise
    from sluice.config.load import load
    from sluice.promotion import approved_policies

    use_case = load(config, parse_overrides(overrides))
    approved_policies.check(use_case.ledger, use_case.policies.model_dump(mode="json"))
    # Kept while KFP's own prints go to the log.
    console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False)
    console.print(
        f"[b]{use_case.name}[/b]: training on span [b]{span}[/b] of {use_case.source.uri.rpartition('/')[2]}\n",
        soft_wrap=True,
    )
    folder = (runs / use_case.name / time.strftime("%Y%m%d-%H%M%S")).absolute()
    this, spec, given = _prepared(use_case, config, span, folder, runner, Progress(console))
    error: BaseException | None = None
    try:
        with interruptible():
            this.pipeline(spec, given)
    except (SluiceError, KeyboardInterrupt) as caught:
        error = caught
    outcome = result(this, use_case, error)
    if as_json:
        typer.echo(outcome.model_dump_json(indent=2))
    elif error is None:
        summarise(console, this, outcome)
    if isinstance(error, SluiceError):
        raise error
    if error is not None:
        told = (
            "; the ledger says whether a version was published"
            if outcome.steps and outcome.steps[-1].name == "push"
            else ""
        )
        typer.echo(
            f"sluice: interrupted{_where(outcome)}: no process is left, and nothing half-written{told}", err=True
        )
    raise typer.Exit(outcome.exit_status)


def _prepared(
    use_case: UseCase, config: Path, span: str, folder: Path, runner: Runner, observer: Observer
) -> tuple[Run, Path, dict[str, Any]]:
    """The run, the compiled pipeline, and its arguments."""
    from sluice.client import catalog
    from sluice.client.local import Run
    from sluice.config.load import arguments, provenance

    facts = provenance(config if config.is_dir() else config.parent)
    spec, given = catalog.path("pipelines", "training"), arguments(use_case, span, facts, run_page=folder.as_uri())
    if runner is Runner.PROCESSES:
        return Run(folder, observer), spec, given
    from sluice.client.containers import ContainerRun, prepared

    spec, mounts = prepared(spec, use_case, folder)
    return ContainerRun(folder, observer, mounts=mounts), spec, given


def _where(outcome: RunResult) -> str:
    """In which step it was interrupted."""
    return f" in step {outcome.steps[-1].name}" if outcome.steps and not outcome.steps[-1].succeeded else ""
