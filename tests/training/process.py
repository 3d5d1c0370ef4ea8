"""A training in a process of its own, which may be killed in the middle.

Usage: python -m tests.training.process FOLDER OUT TRAINER [KILL]    (TRAINER as JSON; KILL: a line of progress)
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from sluice.examples.dataset import Examples
from sluice.stages.runtime import quiet
from sluice.training.spec import Label, Trainer


def main(folder: Path, out: Path, trainer: str, kill: str = "") -> None:
    """Train on what lies prepared in a folder; at a certain line of progress the process kills itself."""
    quiet()
    from sluice.training import loop
    from sluice.training.train import train

    say = loop.progress

    def progress(message: str) -> None:
        say(message)
        if kill and message.startswith(kill):
            os.kill(os.getpid(), signal.SIGKILL)

    loop.progress = progress
    train(
        transformed=folder / "transformed", preprocessing=folder / "preprocessing", examples=Examples.load(folder / "examples"),
        trainer=Trainer.model_validate_json(trainer), label=Label(column="label"), model_out=out / "model",
        golden_out=out / "golden", report_out=out / "train.html",
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
