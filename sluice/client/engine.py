"""Work that needs TensorFlow, done by a module of ours in the component environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

from sluice.client import environments
from sluice.client.exit_status import OF_VERDICT
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from pathlib import Path


def run(module: str, job: str, *arguments: str) -> str:
    """Run ``python -m MODULE ARGUMENT...`` there; returns what it printed.

    Raises:
        SluiceError: it failed; with its own message.
    """
    from sluice.stages.runtime import FAILURE_MARK

    done = subprocess.run(
        [environments.python("tensorflow"), "-m", module, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    if done.returncode:
        _, mark, message = done.stderr.rpartition(f"{FAILURE_MARK}{job}: ")
        if not mark:
            print(done.stderr, file=sys.stderr)  # noqa: T201 - a defect of ours, with its traceback
        raise SluiceError(message.strip() if mark else f"{job} failed: its own words are above")
    return done.stdout


def conclude(folder: Path, *, as_json: bool) -> NoReturn:
    """Print the verdict in a folder, in words or as JSON, and exit with its status."""
    from rich.console import Console

    from sluice.client.summary import gate
    from sluice.gates.verdict import Verdict

    verdict = Verdict.load(folder)
    if as_json:
        typer.echo(json.dumps(verdict.model_dump(mode="json"), indent=2))
    else:
        gate(Console(highlight=False), verdict)
        typer.echo(f"\nreport   {folder / 'report.html'}")
    raise typer.Exit(OF_VERDICT[verdict.status])
