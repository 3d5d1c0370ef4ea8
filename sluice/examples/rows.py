"""The one pass over a source: its rows as they are stored, with the cause and the text of those that do not parse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.examples.formats import explaining
from sluice.examples.kinds import parsed
from sluice.examples.sql import name as _name
from sluice.examples.sql import quote as _quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats import Reading
    from sluice.examples.split import Split

CAUSE, TEXT, FILE = "__cause", "__text", "__file"
MOST, LEAST, CELLS = 131_072, 4_096, 2_000_000


def batch_rows(columns: dict[str, str]) -> int:
    """Rows of a batch, and of a row group: fewer of wider tables, so that memory does not grow with the width."""
    return max(LEAST, min(MOST, CELLS // max(1, len(columns))))


def stream(
    database: duckdb.DuckDBPyConnection, reading: Reading, columns: dict[str, str], split: Split, uri: str
) -> Iterator[pa.RecordBatch]:
    """The source's rows in order, in batches: its columns as stored, `CAUSE`, `TEXT` and `FILE`.

    Raises:
        SluiceError: the source stops in the middle, or is not what its first rows said.
    """
    with explaining(reading.failures, uri, "see source.format and source.types"):
        yield from database.sql(_query(reading, columns, split)).to_arrow_reader(batch_rows(columns))


def _query(reading: Reading, columns: dict[str, str], split: Split) -> str:
    values, causes = [], [reading.malformed] if reading.malformed else []
    for column, kind in columns.items():
        value, lost = parsed(column, reading, kind)
        values.append(f"{value} AS {_name(column)}")
        if lost:
            causes.append(f"CASE WHEN {lost} THEN {_quote(f'column {column!r} is not {kind}')} END")
        if column in (split.column, split.time.column if split.time else ""):
            causes.append(_unplaced(column, value, split))
    raw = reading.raw or "json_object({})".format(
        ", ".join(f"{_quote(column)}, {reading.values.get(column, _name(column))}" for column in columns)
    )
    cause = f"coalesce({', '.join(causes)}, NULL)" if causes else "NULL"
    text = f"CASE WHEN {cause} IS NOT NULL THEN {raw} END" if causes else "NULL"
    return (
        f"SELECT {', '.join(values)}, {cause}::VARCHAR AS {CAUSE}, {text}::VARCHAR AS {TEXT}, "  # noqa: S608
        f"{reading.file or _quote('')} AS {FILE} FROM {reading.table}"
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
