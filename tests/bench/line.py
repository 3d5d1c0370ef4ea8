"""The training line, stage by stage: wall seconds, CPU seconds and peak memory, imports and processes included.

Usage: python -m tests.bench.line [SPAN...]    (default: 1-3; BENCH_JSON names a file for the figures)

Each span is trained twice on fresh folders: the first run has no champion, the second judges against the first.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sluice.client import catalog
from sluice.client.local import Run, Step
from sluice.config.load import arguments, load

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measured:
    """One row: seconds, CPU seconds, and bytes at the peak."""

    run: str
    step: str
    wall: float
    cpu: float
    peak: int


class Silent:
    """Nobody watches."""

    def started(self, step: Step) -> None: ...
    def said(self, step: Step, message: str) -> None: ...
    def ended(self, step: Step) -> None: ...


def measure(span: str, folder: Path, title: str, overrides: dict[str, object]) -> list[Measured]:
    """Run the line once; returns a row a step, one for the shared imports, one for the whole."""
    use_case = load(
        ROOT / "examples" / "flights",
        {
            "destination": str(folder / "published"),
            "ledger": str(folder / "ledger"),
            **overrides,
        },
    )
    run = Run(folder / title, Silent())
    run.pipeline(catalog.path("pipelines", "training"), arguments(use_case, span))
    rows = [Measured(title, step.name, step.wall, step.cpu, step.peak) for step in run.steps]
    rows.append(Measured(title, "imports, shared", 0.0, run.imports, 0))
    whole = Measured(title, "whole", sum(r.wall for r in rows), sum(r.cpu for r in rows), max(r.peak for r in rows))
    return [*rows, whole]


def main() -> None:
    """Measure, print a table, and write JSON where BENCH_JSON says."""
    rows: list[Measured] = []
    for span in sys.argv[1:] or ["1-3"]:
        with tempfile.TemporaryDirectory() as scratch:
            rows += measure(span, Path(scratch), f"span {span}, no champion", {})
            rows += measure(span, Path(scratch), f"span {span}, against it", {"trainer.seed": 1})
    table = Table("run", "step", "wall s", "CPU s", "peak MiB")
    for row in rows:
        table.add_row(
            row.run,
            row.step,
            f"{row.wall:.1f}",
            f"{row.cpu:.1f}",
            f"{row.peak / 2**20:.0f}" if row.peak else "",
            end_section=row.step == "whole",
        )
    Console().print(table)
    if target := os.environ.get("BENCH_JSON"):
        Path(target).write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
