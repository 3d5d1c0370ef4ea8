"""A training step in a process of its own, which may be killed in the middle.

Usage: python -m tests.training.process FOLDER OUT TRAINER [KILL]    (TRAINER as JSON; KILL: a line of progress)
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


class Port:
    """An artifact."""

    def __init__(self, path: Path) -> None:
        self.path, self.metadata = str(path), dict[str, Any]()

    def log_metric(self, metric: str, value: float) -> None:
        self.metadata[metric] = value


def main(folder: Path, out: Path, trainer: str, kill: str = "") -> None:
    """Train on what lies prepared in a folder; at a certain line of progress the process kills itself."""
    from sluice.stages import train
    from sluice.training import loop

    say = loop.progress

    def progress(message: str) -> None:
        say(message)
        if kill and message.startswith(kill):
            os.kill(os.getpid(), signal.SIGKILL)

    loop.progress = progress
    given = {name: Port(folder / name) for name in ("transformed", "preprocessing", "examples")}
    made = {name: Port(out / name) for name in ("model", "golden", "report", "metrics")}
    train.run(
        **given,
        **made,
        champion_model=Port(folder / "champion"),
        trainer=json.loads(trainer),
        label={"column": "label"},
    )
    print(json.dumps(made["model"].metadata))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
