"""Repeat every fault, and print what was done: `python -m tests.faults.push [REPEATS]`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from tests.faults.push import planted


def main(repeats: int) -> None:
    """Repeat everything, and print what was done."""
    done: dict[str, int] = {}

    def run(name: str, fault: Callable[[Path], Any]) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            fault(Path(scratch))
        done[name] = done.get(name, 0) + 1

    for number in range(repeats):
        print(f"\rrepeat {number + 1} of {repeats}", end="", flush=True)
        for store in (False, True):
            kind = "object store" if store else "folder"
            for step in planted.STEPS:
                run(
                    f"killed: {step} ({kind})",
                    lambda folder, step=step, store=store: planted.killed_at(folder, step, store=store),
                )
            run(
                f"killed in a rollback ({kind})",
                lambda folder, store=store: planted.killed_in_rollback(folder, store=store),
            )
            for pushers in (2, 5, 20):
                run(
                    f"{pushers} pushers at once ({kind})",
                    lambda folder, n=pushers, store=store: planted.at_once(folder, n, store=store),
                )
            for free in (0, 8, 16, 24, 32, 48, 64):
                with planted.small_disk() as disk:
                    planted.full_disk(disk, free, store=store)
                done[f"disk full ({kind})"] = done.get(f"disk full ({kind})", 0) + 1
        run("store fails at each call", planted.failing_store)
        run("store's answer is lost at each call", lambda folder: planted.failing_store(folder, lost=True))
    print()
    for name, times in done.items():
        print(f"{times:>6}  {name}")


if __name__ == "__main__":
    with open(os.devnull, "w") as nothing, redirect_stderr(nothing):  # noqa: PTH123
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
