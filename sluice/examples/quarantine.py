"""Quarantine: rows that do not parse, with source, line, cause and raw text; past a limit they are an error."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from sluice.examples.formats import Reading
    from sluice.examples.source import Quarantine

FOLDER = "quarantine"
SHOWN = 10


@dataclass(frozen=True)
class Malformed:
    """A row that did not parse.

    Attributes:
        source: the file it is from, empty where nothing tells.
        line: its line, or its number among the rows, from 1.
        cause: why, in words.
        text: the line as it stands, or the row as JSON.
    """

    source: str
    line: int
    cause: str
    text: str


def collect(database: duckdb.DuckDBPyConnection, reading: Reading, staged: str) -> list[Malformed]:
    """What the reader put aside, and what did not hold its column's type, in order.

    Lines of the second kind are counted: a quoted line break before them in the same file makes them too low.
    """
    lines: dict[str, list[int]] = defaultdict(list)
    found = []
    if reading.rejects:
        for source, line, cause, text in database.execute(
            "SELECT s.file_path, e.line, string_agg(DISTINCT split_part(e.error_message, chr(10), 1), '; ' ORDER BY "
            "split_part(e.error_message, chr(10), 1)), any_value(e.csv_line) "
            "FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) GROUP BY ALL ORDER BY ALL"
        ).fetchall():
            insort(lines[source], line)
            found.append(Malformed(source, line, cause, text or ""))
    for source, place, cause, text in database.execute(
        "SELECT __file, place, __cause, __text FROM (SELECT __file, __cause, __text, "  # noqa: S608
        "file_row_number - min(file_row_number) OVER (PARTITION BY __file) AS place "
        f"FROM read_parquet({staged}, file_row_number=true)) WHERE __cause IS NOT NULL"
    ).fetchall():
        line = place + reading.first_line
        for aside in lines[source]:
            line += aside <= line
        found.append(Malformed(source, line, cause, text))
    return sorted(found, key=lambda row: (row.source, row.line))


def hold(found: list[Malformed], rows: int, limits: Quarantine, where: str) -> None:
    """Hold the limits.

    Args:
        found: the malformed rows.
        rows: all rows, these too.
        limits: how many there may be.
        where: the source.

    Raises:
        SluiceError: there are more; the first ten are shown.
    """
    if len(found) <= limits.max_rows and len(found) <= limits.max_fraction * rows:
        return
    shown = "\n".join(f"  line {row.line}: {row.cause}: {row.text[:120]}" for row in found[:SHOWN])
    raise SluiceError(
        f"{len(found):,} of {rows:,} rows do not parse, and {limits.max_rows:,} rows and {limits.max_fraction:.2%} may be malformed"
        f"\n{shown}\n",
        where=where,
        remedy="mend the source, give source.csv or source.types, or raise source.quarantine",
    )


def write(found: list[Malformed], out: Path) -> None:
    """Write ``quarantine/part-00000.parquet``; nothing where there is nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not found:
        return
    (out / FOLDER).mkdir()
    schema = pa.schema({"source": pa.string(), "line": pa.int64(), "cause": pa.string(), "text": pa.string()})
    pq.write_table(
        pa.Table.from_pylist([vars(row) for row in found], schema=schema), out / FOLDER / "part-00000.parquet"
    )
