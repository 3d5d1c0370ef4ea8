"""Run the pipeline on each table, and exit with 1 where a step fails: python -m tests.faults.tables [NAME...]"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from sluice.promotion.ledger import Kind, Ledger

FAILED = "a step failed"
ROOT = Path(__file__).parents[3]


def use_cases(folder: Path, *names: str) -> list[Path]:
    """Use cases of the tables, all or those that are named; written where their packages are installed."""
    python = ROOT / ".venv-components" / "bin" / "python"
    command = [python, "-m", "tests.faults.data.use_cases", folder, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def run(home: Path) -> tuple[str, str]:
    """``promoted``, the gate that refused, or that a step failed; and what the first run printed."""
    sluice = Path(sys.executable).with_name("sluice")
    done = subprocess.run([sluice, "run", "--config", home], cwd=home, capture_output=True, text=True, check=False)
    champion = Ledger.at(str(home / "ledger")).champion()
    promoted = champion is not None and champion.kind is Kind.PROMOTED and (home / "published" / "1").is_dir()
    said = done.stdout + done.stderr
    if promoted:
        return "promoted", said
    closed = re.findall(r"^(\w+) gate: (NOT_BLESSED|INCONCLUSIVE)", said, re.MULTILINE)
    if done.returncode or not closed:
        return FAILED, said
    return ", ".join(f"{gate.lower()} gate: {status}" for gate, status in closed), said


def main() -> None:
    missed = 0
    print("| table | the whole pipeline, a first run |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        for home in use_cases(Path(scratch), *sys.argv[1:]):
            what, said = run(home)
            missed += what == FAILED
            print(f"| {home.name} | {what} |", flush=True)
            if what == FAILED:
                print(said, file=sys.stderr, flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
