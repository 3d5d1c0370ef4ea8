"""The one pass over a source: its rows as they are stored, with the cause and the text of those that do not parse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.examples.conversion import Notation, convert, family
from sluice.examples.formats import FILE, culprit, explaining
from sluice.examples.sql import name as _name
from sluice.examples.sql import quote as _quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats import Part, Reading
    from sluice.examples.split import Split

CAUSE, TEXT = "__cause", "__text"
MOST, LEAST, CELLS = 131_072, 4_096, 2_000_000
THREAD_CELLS = 1_500
"""Columns times threads: for every column each thread holds vectors of some 200 KiB, and DuckDB's memory is bounded."""


def batch_rows(columns: dict[str, str]) -> int:
    """Rows of a batch, and of a row group: fewer of wider tables, so that memory does not grow with the width."""
    return max(LEAST, min(MOST, CELLS // max(1, len(columns))))


def stream(
    database: duckdb.DuckDBPyConnection,
    reading: Reading,
    columns: dict[str, str],
    split: Split,
    uri: str,
    notation: Notation,
) -> Iterator[pa.RecordBatch]:
    """The source's rows in order, in batches: its columns as stored, `CAUSE`, `TEXT` and `FILE`.

    Raises:
        SluiceError: the source stops in the middle, or is not what its first rows said; names the file that was read.
    """
    (threads,) = database.execute("SELECT current_setting('threads')").fetchall()[0]
    database.execute(f"SET threads = {max(1, min(threads, THREAD_CELLS // len(columns)))}")
    query = " UNION ALL ".join(_query(reading, part, columns, split, notation) for part in reading.parts)
    with explaining(
        reading.failures, uri, "see source.format and source.types", lambda: culprit(database, reading, uri)
    ):
        yield from database.sql(query).to_arrow_reader(batch_rows(columns))


def _query(reading: Reading, part: Part, columns: dict[str, str], split: Split, notation: Notation) -> str:
    """SQL of a part's rows.

    The cause is one CASE of all columns' conditions, and the text is made of it in a projection of its own: DuckDB holds a
    vector for every expression, which a wide table has a great many of.
    """
    values, causes = (
        [],
        [f"WHEN ({reading.malformed}) IS NOT NULL THEN ({reading.malformed})"] if reading.malformed else [],
    )
    for column, kind in columns.items():
        given = part.types.get(column, "NULL")
        made = convert(part.values.get(column, _name(column)), given, kind, notation, column)
        values.append(made.value)
        if made.lost:
            causes.append(f"WHEN {made.lost} THEN {_quote(made.cause)}")
        if column in (split.column, split.time.column if split.time else ""):
            causes += _unplaced(column, made.value, split)
    file = f"{reading.file or _quote('')} AS {FILE}"
    if not causes:
        listed = ", ".join(f"{value} AS {_name(column)}" for value, column in zip(values, columns, strict=True))
        return f"SELECT {listed}, NULL::VARCHAR AS {CAUSE}, NULL::VARCHAR AS {TEXT}, {file} FROM {part.table}"  # noqa: S608
    text = f"CASE WHEN {CAUSE} IS NOT NULL THEN {reading.raw or _as_json(part, columns)} END"
    stored = ", ".join(f"__stored_{number} AS {_name(column)}" for number, column in enumerate(columns))
    inner = ", ".join(f"{value} AS __stored_{number}" for number, value in enumerate(values))
    return (
        f"SELECT {stored}, {CAUSE}, {text}::VARCHAR AS {TEXT}, {file} "  # noqa: S608
        f"FROM (SELECT *, {inner}, (CASE {' '.join(causes)} END)::VARCHAR AS {CAUSE} FROM {part.table})"
    )


def _as_json(part: Part, columns: dict[str, str]) -> str:
    """SQL of a row's values as JSON; those that JSON has no way to write as text."""
    listed = []
    for column in columns:
        if column in part.types:
            value, of = part.values.get(column, _name(column)), family(part.types[column])
            text = f"{value}::VARCHAR" if of in ("long", "decimal", "binary", "instant", "clock") else value
            listed.append(f"{_quote(column)}, {text}")
    return f"json_object({', '.join(listed)})"


class Dropped:
    """The rows that lack a value that they have to have; they are counted.

    Args:
        columns: the columns that need one.

    Attributes:
        rows: how many were dropped.
    """

    def __init__(self, columns: list[str]) -> None:
        self._columns = columns
        self.rows = 0

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without them; NaN is no value."""
        import pyarrow.compute as pc

        for column in self._columns:
            kept = batch.filter(pc.invert(pc.is_null(batch.column(column), nan_is_null=True)))
            self.rows += len(batch) - len(kept)
            batch = kept
        return batch

    def said(self) -> list[str]:
        """How many, for a person."""
        return (
            [f"{self.rows:,} rows without {' or '.join(self._columns)} are left out (source.drop_missing)"]
            if self.rows
            else []
        )


def _unplaced(column: str, value: str, split: Split) -> list[str]:
    """SQL of the cases of a row that no split can take, each with its cause."""
    cases = [f"WHEN {value} IS NULL THEN {_quote(f'column {column!r} is empty, and the split goes by it')}"]
    if split.names:
        known = ", ".join(map(_quote, split.names))
        told = _quote(f"column {column!r} is none of {', '.join(split.names)}, and the split goes by it")
        cases.append(f"WHEN {value} NOT IN ({known}) THEN {told}")
    elif split.column:
        cases.append(
            f"WHEN NOT regexp_full_match({value}, '[A-Za-z_][A-Za-z0-9_]*') "
            f"THEN {_quote(f'column {column!r} is no name of a split (letters, digits, _)')}"
        )
    return cases
