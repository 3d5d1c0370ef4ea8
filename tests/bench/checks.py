"""What it costs to name artifacts by their bytes and to check them: CPU seconds of hashing in each step, and of the step.

Usage: python -m tests.bench.checks [ROWS]    (in the component environment; default: 1500000)

The steps of the flights use case run one after the other, each with the metadata of the one before. What is counted is the
CPU time of all threads inside `digest.of_file`, through which every check and every digest of a file goes. Imports and
processes are not counted, so that the share is at most that of `tests.bench.line`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice import digest
from sluice.config.load import arguments, load
from tests.bench.line import ROOT, flights

ROWS = 1_500_000
LIMIT = 0.05


class Port:
    """An artifact."""

    def __init__(self, path: Path) -> None:
        self.path, self.metadata = str(path), dict[str, Any]()

    def log_metric(self, *given: Any) -> None: ...
    def log_roc_curve(self, *given: Any) -> None: ...
    def log_confusion_matrix(self, *given: Any) -> None: ...


def measured(step: Callable[[], Any]) -> tuple[float, float, int]:
    """CPU seconds of a step and of its hashing, and the bytes that were hashed."""

    def spent() -> float:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    hashed, of_file = list[tuple[float, int]](), digest.of_file

    def counted(path: Path) -> str:
        start = time.thread_time()
        made = of_file(path)
        hashed.append((time.thread_time() - start, path.stat().st_size))
        return made

    digest.of_file, start = counted, spent()
    try:
        step()
        return spent() - start, sum(seconds for seconds, _ in hashed), sum(size for _, size in hashed)
    finally:
        digest.of_file = of_file


def use_case(folder: Path) -> dict[str, Any]:
    """The pipeline's arguments, of a file of flights."""
    return arguments(load(ROOT / "examples" / "flights", {"source.uri": str(folder / "flights.parquet")}), "")


def ingest(rows: int, folder: Path) -> dict[str, Any]:
    """Make the file, and run the stage in this process; returns what was measured, and the artifact's metadata."""
    from sluice.stages import ingest as stage

    flights(rows, folder)
    given, port = use_case(folder), Port(folder / "examples")
    figures = measured(lambda: stage.run(
        source=given["source"], split=given["split"], span="", label=given["label"], given_schema="", examples=port
    ))  # fmt: skip
    return {"figures": figures, "metadata": port.metadata}


def line(rows: int, folder: Path) -> dict[str, tuple[float, float, int]]:
    """Step to what was measured."""
    from sluice.stages import evaluate, train, transform, validate

    given = use_case(folder)
    ports: dict[str, Port] = {}

    def port(name: str) -> Any:
        return ports.setdefault(name, Port(folder / name))

    (folder / "none").mkdir()
    (folder / "none" / "none.json").write_text("{}")
    command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "tests.bench.checks", "ingest", str(rows), str(folder)]
    said = subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    done = json.loads(said.stdout.splitlines()[-1])  # DuckDB draws a progress bar
    port("examples").metadata |= done["metadata"]
    steps: dict[str, Callable[[], Any]] = {
        "validate": lambda: validate.run(
            examples=port("examples"), champion_statistics=port("none"), champion_schema=port("none"), champion_version=0,
            label=given["label"], features=given["features"], policy=given["data_policy"], statistics=port("statistics"),
            schema=port("schema"), verdict=port("data"), report=port("data.html"),
        ),
        "transform": lambda: transform.run(
            examples=port("examples"), statistics=port("statistics"), schema=port("schema"), features=given["features"],
            label=given["label"], preprocessing=port("preprocessing"), transformed=port("transformed"),
        ),
        "train": lambda: train.run(
            transformed=port("transformed"), preprocessing=port("preprocessing"), examples=port("examples"),
            champion_model=port("none"), trainer=given["trainer"], label=given["label"], model=port("model"), golden=port("golden"),
            report=port("train.html"), metrics=port("metrics"),
        ),
        "evaluate": lambda: evaluate.run(
            examples=port("examples"), model=port("model"), champion_model=port("none"), champion_version=0,
            policy=given["model_policy"], evaluation=port("evaluation"), verdict=port("verdict"), report=port("model.html"),
            metrics=port("metrics"), classification=port("metrics"),
        ),
    }  # fmt: skip
    return {"ingest": tuple(done["figures"]), **{name: measured(step) for name, step in steps.items()}}


def main() -> None:
    """Print CPU seconds, hashing, and its share, for each step and the line."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
        figures = line(rows, Path(scratch))
    cpu, hashing, size = (sum(column) for column in zip(*figures.values(), strict=True))
    for name, row in {**figures, "line": (cpu, hashing, size)}.items():
        share = f"hashing {row[1]:6.3f} of {row[2] / 2**20:7.1f} MiB: {row[1] / row[0]:.2%}"
        print(f"{rows:>9,} rows: {name:<9} {row[0]:7.2f} CPU s, {share}", flush=True)
    print(f"checking costs {hashing / cpu:.2%} of the line's CPU (at most {LIMIT:.0%})")
    sys.exit(hashing > LIMIT * cpu)


if __name__ == "__main__":
    if sys.argv[1:2] == ["ingest"]:
        print(json.dumps(ingest(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main()
