"""Measure a push beside a plain copy and hash, and the ledger at different lengths: `python -m tests.bench.push [MiB]`."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

from sluice.promotion.ledger import Kind, Ledger
from tests.promotion import made

FILES, ROUNDS = 4, 5


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of some work."""
    os.sync()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plain(source: Path, target: Path) -> None:
    """Copy a folder, and hash the copy, file by file."""
    shutil.copytree(source, target)
    for path in sorted(target.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                hashlib.file_digest(stream, "sha256")


def push(mebibytes: int) -> None:
    """A push of a model of some size, side by side with a plain copy and hash of it."""
    ours, theirs = [], []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
            folder = Path(scratch)
            one = made.candidate(folder / "candidate", f"model {number}")
            for part in range(FILES):
                with (one.model / "variables" / f"part-{part}").open("wb") as stream:
                    for _ in range(mebibytes // FILES):
                        stream.write(os.urandom(1 << 20))
            one.judge(None)
            theirs.append(seconds(lambda one=one, folder=folder: plain(one.model, folder / "copy")))
            shutil.rmtree(folder / "copy")
            ours.append(
                seconds(lambda one=one, folder=folder: one.push(str(folder / "ledger"), str(folder / "published")))
            )
    middle, beside = statistics.median(ours), statistics.median(theirs)
    print(
        f"push of {mebibytes:,} MiB in {FILES} files: {middle:.2f} s; a plain copy and hash: {beside:.2f} s; ratio {middle / beside:.2f}"
    )


def ledger() -> None:
    """Append and champion at lengths of the ledger."""
    with tempfile.TemporaryDirectory() as scratch:
        book = Ledger.at(scratch)
        book.append(Kind.PROMOTED, after=None, model="sha256:m")
        length = 1
        for wanted in (10, 1_000, 5_000):
            while length < wanted:
                book.append(Kind.REFUSED, reasons=("too few rows",))
                length += 1
            append = statistics.median(seconds(lambda: book.append(Kind.REFUSED, reasons=("x",))) for _ in range(5))
            champion = statistics.median(seconds(book.champion) for _ in range(5))
            length += 5
            print(f"ledger of {wanted:>5,} entries: append {1000 * append:.1f} ms, champion {1000 * champion:.1f} ms")


if __name__ == "__main__":
    with open(os.devnull, "w") as nothing, redirect_stderr(nothing):  # noqa: PTH123
        push(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
        ledger()
