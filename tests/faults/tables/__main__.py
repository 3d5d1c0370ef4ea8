"""Run the pipeline on each table, and exit with 1 where one is not promoted: python -m tests.faults.tables [NAME...]"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from sluice.promotion.ledger import Kind, Ledger

ROOT = Path(__file__).parents[3]


def use_cases(folder: Path, *names: str) -> list[Path]:
    """Use cases of the tables, all or those that are named; written where their packages are installed."""
    python = ROOT / ".venv-components" / "bin" / "python"
    command = [python, "-m", "tests.faults.data.use_cases", folder, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def run(home: Path) -> tuple[str, str]:
    """``promoted`` or what else came of a first run, and what it printed."""
    sluice = Path(sys.executable).with_name("sluice")
    done = subprocess.run([sluice, "run", "--config", home], cwd=home, capture_output=True, text=True, check=False)
    champion = Ledger.at(str(home / "ledger")).champion()
    promoted = champion is not None and champion.kind is Kind.PROMOTED and (home / "published" / "1").is_dir()
    return "promoted" if promoted else f"not promoted (exit status {done.returncode})", done.stdout + done.stderr


def main() -> None:
    missed = 0
    print("| table | the whole pipeline, a first run |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        for home in use_cases(Path(scratch), *sys.argv[1:]):
            what, said = run(home)
            missed += what != "promoted"
            print(f"| {home.name} | {what} |", flush=True)
            if what != "promoted":
                print(said, file=sys.stderr, flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
