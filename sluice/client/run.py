"""`sluice run`: the training pipeline on this machine, the same compiled YAML that a cluster runs."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sluice.client.options import Config, Overrides


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
) -> None:
    """Run the training pipeline on this machine, without Docker and without a server.

    Each step runs in the interpreter that stands for its image. Ends with the gates' verdicts and where the model,
    the ledger and the reports are. Exit status: 0 when the run came to a decision, 1 when a step failed.

    Example: sluice run --config examples/flights --span 2-4 --set trainer.steps=200
    """
    from rich.console import Console

    from sluice.client import catalog
    from sluice.client.local import Run
    from sluice.client.options import parse_overrides
    from sluice.client.summary import Progress, summarise
    from sluice.config.load import arguments, load, provenance
    from sluice.promotion import approved_policies

    use_case = load(config, parse_overrides(overrides))
    approved_policies.check(use_case.ledger, use_case.policies.model_dump(mode="json"))
    console = Console(file=sys.stdout, highlight=False)  # kept while KFP's own prints go to the log
    console.print(
        f"[b]{use_case.name}[/b]: training on span [b]{span}[/b] of {use_case.source.uri.rpartition('/')[2]}\n",
        soft_wrap=True,
    )
    folder = (runs / use_case.name / time.strftime("%Y%m%d-%H%M%S")).absolute()
    facts = provenance(config if config.is_dir() else config.parent)
    spec, given = catalog.path("pipelines", "training"), arguments(use_case, span, facts, run_page=folder.as_uri())
    this = Run(folder, Progress(console))
    if runner is Runner.CONTAINERS:
        from sluice.client.containers import ContainerRun, prepared

        spec, mounts = prepared(spec, use_case, folder)
        this = ContainerRun(folder, Progress(console), mounts=mounts)
    this.pipeline(spec, given)
    summarise(console, this, use_case.destination, use_case.ledger)
