"""Five writers of the journal at once, killed at random, beside pushes: `python -m tests.soak.journal [LINES] [SEED]`.

Afterwards nothing that a writer was told is written is lost or there twice, ledger and journal verify, versions are
consecutive; then old parts are pruned, and everything verifies again.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluice.promotion.journal import Journal, Observation, Record
from sluice.promotion.ledger import SERVED, Kind, Ledger
from sluice.storage import Store
from tests.promotion import made

WRITERS = ("monitor", "monitor", "retrain", "score", "score-nightly")
"""Names of the five writers; two processes share one."""
OLD = timedelta(days=100)
PATIENCE = 600
"""Seconds after which a soak that does not end has failed."""


@dataclass(frozen=True)
class Soaked:
    """What a soak did.

    Attributes:
        lines: records written.
        parts: parts of the journal.
        kills: writers that were killed.
        versions: versions that were pushed meanwhile.
        pruned: parts that were removed.
        seconds: wall time.
    """

    lines: int
    parts: int
    kills: int
    versions: int
    pruned: int
    seconds: float


def write(uri: str, writer: str, process: int, lines: int, seed: int) -> None:
    """Write one process's records, from where it was killed; the first half of them is old."""
    journal, drawn = Journal(Store.at(uri)), random.Random(seed)
    done = (
        next((r.facts["number"] for r in journal.records(writer) if r.facts["process"] == process), 0)
        if _has(journal, writer)
        else 0
    )
    while done < lines:
        size = min(drawn.choice((1, 1, 1, 3)), lines - done)
        time = datetime.now(UTC) - (OLD if done + size <= lines // 2 else timedelta(0))
        numbers = range(done + 1, done + size + 1)
        facts = [{"process": process, "number": number} for number in numbers]
        journal.append(writer, *(Record(kind=Observation.OBSERVED, time=time.isoformat(), facts=f) for f in facts))
        done += size


def _has(journal: Journal, writer: str) -> bool:
    return writer in journal.writers()


def soak(folder: Path, lines: int, seed: int) -> Soaked:
    """Have the writers write so many lines in all, kill some, push meanwhile; then verify, prune and verify.

    Raises:
        AssertionError: a line is lost or there twice, or something does not verify.
    """
    start, drawn, kills, each = time.monotonic(), random.Random(seed), 0, lines // len(WRITERS)
    uri, published = str(folder / "ledger"), str(folder / "published")
    commands = [
        [sys.executable, "-m", "tests.soak.journal", "write", uri, writer, str(process), str(each), str(seed + process)]
        for process, writer in enumerate(WRITERS)
    ]
    running = [subprocess.Popen(command) for command in commands]
    versions = 0
    try:
        while any(process.poll() != 0 for process in running) or versions < 3:
            assert time.monotonic() - start < PATIENCE, "the writers do not come to an end"
            versions += 1
            entry = made.candidate(folder / str(versions), f"model {versions}").judged_and_pushed(uri, published)
            assert (entry.kind, entry.version) == (Kind.PROMOTED, versions)
            time.sleep(drawn.uniform(0.1, 0.4))
            number = drawn.randrange(len(running))
            if running[number].poll() is None and kills < lines // 50:
                running[number].kill()
                kills += 1
            for number, process in enumerate(running):
                if process.poll() not in (None, 0):
                    running[number] = subprocess.Popen(commands[number])
    finally:
        for process in running:
            process.kill()
            process.wait()
    parts = check(uri, each, versions)
    removed = prune(uri)
    return Soaked(each * len(WRITERS), parts, kills, versions, removed, time.monotonic() - start)


def check(uri: str, each: int, versions: int) -> int:
    """Every record is there once and in its process's order; everything verifies; returns the number of parts."""
    ledger = Ledger.at(uri)
    found: dict[int, list[int]] = {}
    for writer in set(WRITERS):
        for record in ledger.journal.records(writer):
            found.setdefault(record.facts["process"], []).append(record.facts["number"])
    assert found == {process: list(range(each, 0, -1)) for process in range(len(WRITERS))}
    assert [entry.version for entry in ledger.entries() if entry.kind in SERVED] == list(range(versions, 0, -1))
    ledger.append(Kind.REFUSED, reasons=("holds the ends of all chains",))
    assert ledger.verify() == []
    return sum(len(ledger.journal.numbers(writer)) for writer in set(WRITERS))


def prune(uri: str) -> int:
    """Prune the old half, verify, write on, verify; returns how many parts were removed."""
    ledger = Ledger.at(uri)
    before = {writer: ledger.journal.numbers(writer) for writer in set(WRITERS)}
    assert ledger.prune(datetime.now(UTC) - OLD / 2, reason="the old half", by="soak") is not None
    left = {writer: ledger.journal.numbers(writer) for writer in set(WRITERS)}
    assert all(0 < len(left[writer]) < len(before[writer]) for writer in before)
    assert ledger.verify() == []
    for writer in set(WRITERS):
        ledger.journal.append(writer, Record(kind=Observation.OBSERVED, facts={}))
    ledger.append(Kind.REFUSED, reasons=("holds the ends of all chains",))
    assert ledger.verify() == []
    return sum(len(before[writer]) - len(left[writer]) for writer in before)


def main(lines: int = 10_000, seed: int = 15) -> None:
    """Soak, and print what was done as a line of a table."""
    with tempfile.TemporaryDirectory() as scratch:
        done = soak(Path(scratch), lines, seed)
    print("| date | seed | lines | parts | kills | versions pushed | parts pruned | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(f"| {datetime.now(UTC):%Y-%m-%d} | {seed} | {done.lines:,} | {done.parts:,} | {done.kills} | {done.versions} | "
          f"{done.pruned:,} | {done.seconds:.0f} |")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
    else:
        main(*map(int, sys.argv[1:]))
