"""Which rows a model was trained on: the hashes of the train split's rows, kept as evidence for later runs.

Ingest writes them beside the splits; validate keeps them with the statistics, which a promotion puts into the ledger; and
a later run counts how many of the rows that it evaluates are among its champion's. A hash is of a row as it is stored, of
all its columns (`sluice.examples.hashing`): two rows that are equal in every column cannot be told apart.

A file holds distinct hashes of 64 bits, little-endian, ascending: at most eight bytes a row, found by bisection in a file
that is mapped into memory. They have no key: who has a row can find out whether it is among them.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, ClassVar

from sluice import parts
from sluice.examples import hashing
from sluice.examples.split import TRAIN
from sluice.gates.model.evidence import SeenRows
from sluice.parts import Part  # noqa: TC001 - pydantic looks annotations up
from sluice.stored import Stored

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from sluice.examples.dataset import Examples
    from sluice.examples.manifest import Manifest

FOLDER = "row_hashes"
FACTS_FILE = "row_hashes.json"
WORD = 8
BATCH = 1 << 17
REMEDY = "run the pipeline again; where it comes from the ledger: sluice ledger verify"
OLD = "it was promoted by a release that kept no hashes of its training rows, and whose splits could change places from run to run"


class TrainedRows(Stored):
    """``row_hashes.json``: what the hashes are of.

    Attributes:
        columns: column to Arrow type: what is hashed.
        hash_version: of `sluice.examples.hashing`.
        split: how the rows were divided, in words.
        file: the hashes.
    """

    WHAT: ClassVar[str] = "the facts about the row hashes"
    INDENT: ClassVar[bool] = True

    columns: dict[str, str]
    hash_version: int
    split: str
    file: Part


def write(database: duckdb.DuckDBPyConnection, query: str, folder: Path) -> Part:
    """Write hashes into an examples artifact, in memory that DuckDB bounds.

    Args:
        database: sorts them.
        query: SQL of a relation with the uint64 column ``hash``.
        folder: the artifact's.

    Returns:
        The file, with the number of its hashes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    file, rows, last = folder / FOLDER / f"{TRAIN}.u64", 0, None
    file.parent.mkdir()
    with file.open("wb") as stream:
        for batch in database.sql(f"SELECT hash FROM ({query}) ORDER BY hash").to_arrow_reader(BATCH):  # noqa: S608
            words = batch.column(0)
            before = pa.concat_arrays([pa.array([last], pa.uint64()), words.slice(0, len(words) - 1)])
            first = words.filter(
                pc.fill_null(pc.not_equal(words, before), fill_value=True)
            )  # equal ones follow each other
            stream.write(memoryview(first.buffers()[1])[first.offset * WORD : (first.offset + len(first)) * WORD])
            rows, last = rows + len(first), words[-1].as_py()
    return parts.describe(folder, file, rows)


def keep(examples: Examples, statistics: Path) -> None:
    """Put the hashes of the examples' training rows beside their statistics; nothing where the examples have none.

    Raises:
        SluiceError: the file is not the one that ingest wrote.
    """
    manifest = examples.manifest
    if manifest.row_hashes is None:
        return
    parts.check(examples.folder, manifest.row_hashes, REMEDY)
    (statistics / FOLDER).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(examples.folder / manifest.row_hashes.name, statistics / manifest.row_hashes.name)
    facts = TrainedRows(
        columns=manifest.columns,
        hash_version=manifest.split["hash_version"],
        split=described(manifest),
        file=manifest.row_hashes,
    )
    (statistics / FOLDER / FACTS_FILE).write_bytes(facts.to_bytes())


def count(examples: Examples, split: str, statistics: Path | None) -> SeenRows:
    """Count the rows of a split that a champion was trained on.

    Rows are compared in the columns that the champion's examples had: a column that is new since then changes no row.

    Args:
        examples: what is evaluated.
        split: its split.
        statistics: folder of the champion's statistics; None: nobody gave them.

    Raises:
        SluiceError: the champion's file was changed, or a later release wrote it.
    """
    rows, own = examples.manifest.splits[split].rows, described(examples.manifest)
    file = statistics / FOLDER / FACTS_FILE if statistics else None
    if statistics is None or file is None or not file.is_file():
        return SeenRows(rows, None, OLD if file else "its statistics were not given", own)
    theirs = TrainedRows.read(file, REMEDY)
    if why := _incomparable(theirs, examples.manifest):
        return SeenRows(rows, None, why, own, theirs.split)
    parts.check(statistics, theirs.file, REMEDY)
    seen = _count(examples, split, list(theirs.columns), statistics / theirs.file.name)
    differs = "" if theirs.split == own else f"its rows were divided by {theirs.split}, these by {own}"
    return SeenRows(rows, seen, differs, own, theirs.split)


def _incomparable(theirs: TrainedRows, manifest: Manifest) -> str:
    """Why the hashes of two artifacts' rows cannot be compared; empty where they can."""
    if theirs.hash_version != hashing.VERSION:
        return f"its rows were hashed by version {theirs.hash_version} of the hash, and this release has version {hashing.VERSION}"
    if gone := [column for column in theirs.columns if column not in manifest.columns]:
        return f"its rows had the column {gone[0]!r}, and these do not"
    other = [column for column, kind in theirs.columns.items() if manifest.columns[column] != kind]
    if other:
        return f"the column {other[0]!r} was {theirs.columns[other[0]]} then, and is {manifest.columns[other[0]]} now"
    return ""


def _count(examples: Examples, split: str, columns: list[str], file: Path) -> int:
    """Rows of a split whose hash over these columns is in a file."""
    import numpy as np

    if not file.stat().st_size:
        return 0
    known, found = np.memmap(file, "<u8", "r"), 0
    for batch in examples.batches(split, columns):
        hashes = np.unique(hashing.hashed(batch, columns).to_numpy(zero_copy_only=False), return_counts=True)
        place = np.minimum(np.searchsorted(known, hashes[0]), len(known) - 1)
        found += int(hashes[1][known[place] == hashes[0]].sum())
    return found


def described(manifest: Manifest) -> str:
    """How rows were divided, in words, e.g. ``the hash of user: train [0, 0.8), eval [0.8, 1)``."""
    split: dict[str, Any] = manifest.split
    if time := split.get("time"):
        start = f"from {time['at']}" if time.get("at") else f"the last {time.get('last')}"
        return f"the time {time['column']}, {start} evaluated" + (
            f", a gap of {time['gap']}" if time.get("gap") else ""
        )
    if split.get("column"):
        return f"the column {split['column']}"
    if not manifest.bounds:
        return "a hash, in an order that was not kept" if split.get("ratios") else "nothing that is known"
    of = ", ".join(split.get("keys") or []) or "the whole row"
    return f"the hash of {of}: " + ", ".join(
        f"{name} [{low:.4g}, {high:.4g})" for name, (low, high) in manifest.bounds.items()
    )
