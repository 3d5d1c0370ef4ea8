"""The training line, stage by stage: wall seconds, CPU seconds and peak memory, imports and processes included.

Usage: python -m tests.bench.line [ROWS...]    (default: 15000 80000 150000; BENCH_JSON names a file for the figures)

For each number of rows the line runs twice on fresh folders: the first run has no champion, the second judges a model
of another seed against the first. Rows are real flights; beyond the 327,346 of the year they repeat.
"""

from __future__ import annotations

import json
import os
import subprocess
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


def flights(rows: int, folder: Path) -> str:
    """A file of so many flights, the months mixed; returns its path.

    Made in a process of its own: a step's peak memory counts what the process that starts it holds.
    """
    spans, target = ROOT / "examples" / "flights" / "data" / "span-*.parquet", folder / "flights.parquet"
    command = (
        f"COPY (SELECT * EXCLUDE (copy) FROM '{spans}', range({rows // 327_346 + 1}) r(copy) "
        f"ORDER BY copy, hash(scheduled_departure, carrier, flight) LIMIT {rows}) TO '{target}' (FORMAT parquet)"
    )
    subprocess.run([sys.executable, "-c", f"import duckdb; duckdb.execute({command!r})"], check=True)
    return str(target)


def measure(source: str, folder: Path, title: str, overrides: dict[str, object]) -> list[Measured]:
    """Run the line once; returns a row a step, one for the shared imports, one for the whole."""
    # Every step runs, whatever the gates say: what is measured is the line.
    places = {
        "policies.data.mode": "report",
        "policies.model.mode": "report",
        "destination": str(folder / "published"),
        "ledger": str(folder / "ledger"),
    }
    use_case = load(ROOT / "examples" / "flights", {**places, "source.uri": source, **overrides})
    run = Run(folder / title, Silent())
    run.pipeline(catalog.path("pipelines", "training"), arguments(use_case, ""))
    rows = [Measured(title, step.name, step.wall, step.cpu, step.peak) for step in run.steps]
    rows.append(Measured(title, "imports, shared", 0.0, run.imports, 0))
    whole = Measured(title, "whole", sum(r.wall for r in rows), sum(r.cpu for r in rows), max(r.peak for r in rows))
    return [*rows, whole]


def main() -> None:
    """Measure, print a table, and write JSON where BENCH_JSON says."""
    measured: list[Measured] = []
    for rows in [int(size) for size in sys.argv[1:]] or [15_000, 80_000, 150_000]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            source = flights(rows, folder)
            measured += measure(source, folder, f"{rows:,} rows", {})
            measured += measure(source, folder, f"{rows:,} rows, champion", {"trainer.seed": 1})
    table = Table("run", "step", "wall s", "CPU s", "peak MiB")
    for row in measured:
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
        Path(target).write_text(json.dumps([asdict(row) for row in measured], indent=2) + "\n")


if __name__ == "__main__":
    main()
