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
    query = " UNION ALL ".join(_query(reading, part, columns, split, notation) for part in reading.parts)
    with explaining(
        reading.failures, uri, "see source.format and source.types", lambda: culprit(database, reading, uri)
    ):
        yield from database.sql(query).to_arrow_reader(batch_rows(columns))


def _query(reading: Reading, part: Part, columns: dict[str, str], split: Split, notation: Notation) -> str:
    values, causes = [], [reading.malformed] if reading.malformed else []
    for column, kind in columns.items():
        given = part.types.get(column, "NULL")
        made = convert(part.values.get(column, _name(column)), given, kind, notation, column)
        values.append(f"{made.value} AS {_name(column)}")
        if made.lost:
            causes.append(f"CASE WHEN {made.lost} THEN {_quote(made.cause)} END")
        if column in (split.column, split.time.column if split.time else ""):
            causes.append(_unplaced(column, made.value, split))
    cause = f"coalesce({', '.join(causes)}, NULL)" if causes else "NULL"
    text = f"CASE WHEN {cause} IS NOT NULL THEN {reading.raw or _as_json(part, columns)} END" if causes else "NULL"
    return (
        f"SELECT {', '.join(values)}, {cause}::VARCHAR AS {CAUSE}, {text}::VARCHAR AS {TEXT}, "  # noqa: S608
        f"{reading.file or _quote('')} AS {FILE} FROM {part.table}"
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


def _unplaced(column: str, value: str, split: Split) -> str:
    """SQL of the cause of a row that no split can take."""
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
    return f"CASE {' '.join(cases)} END"
