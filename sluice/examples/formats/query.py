"""Queries: a SQL text in a database, or over files, whose result is streamed; its spans are bound as parameters."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from sluice.errors import SluiceError, first_line
from sluice.examples.conversion import Notation, convert, family
from sluice.examples.formats import Part, Reading, arrow, explaining, types_of
from sluice.examples.inference import MOST
from sluice.examples.sql import name as _name
from sluice.examples.sql import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.source import Source

Bound = date | int
Bounds = dict[str, Bound]
"""``span_begin`` and ``span_end`` to their values; empty where the query has no spans."""
PARAMETER = re.compile(r"@(span_begin|span_end)\b")


def available_spans(source: Source) -> list[int]:
    """The spans of a query, in order: from the first to the last, or to the last one that is over (in UTC).

    Numbers begin with one.
    """
    if not source.spans:
        return []
    if source.spans.last is not None:
        return list(range(1, source.spans.last + 1))
    today, number = datetime.now(UTC).date(), 0
    while _edge(source, number + 1) <= today:  # type: ignore[operator]  # dates: numbers have a last one
        number += 1
    return list(range(1, number + 1))


def query_bounds(source: Source, span: int) -> tuple[Bound, Bound]:
    """Where a span begins, and where it ends (itself not in it).

    Example:
        >>> query_bounds(Source(uri="postgresql://h/d", query="...", spans={"first": "2026-01-01", "step": "month"}), 2)
        (date(2026, 2, 1), date(2026, 3, 1))
    """
    return _edge(source, span - 1), _edge(source, span)


def engine(source: Source) -> str:
    """The database's kind, by the URI; empty where the query is over files."""
    return scheme if (scheme := urlsplit(source.uri).scheme) in _engines() else ""


def read(database: duckdb.DuckDBPyConnection, source: Source, span: str) -> Reading:
    """The query's result as an Arrow stream.

    Args:
        database: DuckDB's, which reads the stream.
        source: the query and its place.
        span: the spans in explicit form; those that follow each other are read by one query.

    Raises:
        SluiceError: the extra is not installed, or the database refuses.
    """
    return arrow.stream(database, _batches(source, _engines()[engine(source)], _ranges(source, span)), source.uri, [])


def over(database: duckdb.DuckDBPyConnection, source: Source, reading: Reading, span: str) -> Reading:
    """The result of a query over files, which it knows as the table ``source``.

    Raises:
        SluiceError: the files are text, whose values are still to be parsed; or DuckDB refuses the query.
    """
    if reading.infer:
        raise SluiceError("a query is over files that hold their types", where="source.query",
                          remedy="ingest the text first, and query the Parquet files that it becomes")  # fmt: skip
    ranges = _ranges(source, span)
    if len(ranges) > 1:
        raise SluiceError("a query over files reads spans that follow each other", where="span", remedy="name one run of spans")  # fmt: skip
    for name, value in ranges[0].items():
        literal = f"DATE {quote(value.isoformat())}" if isinstance(value, date) else str(value)
        database.execute(f"SET VARIABLE {name} = {literal}")
    text = PARAMETER.sub(r"getvariable('\1')", source.query)
    with explaining(reading.failures, "source.query", "DuckDB reads it; the files are the table `source`"):
        database.execute(
            f"CREATE TEMP VIEW source AS {' UNION ALL BY NAME '.join(_table(part, reading) for part in reading.parts)}"
        )
        types = types_of(database.sql(text))
    part = Part(f"({text})", types, samples=[f"(FROM ({text}) LIMIT {MOST})"] if reading.parts[0].only else ())
    return Reading([part], version=reading.version, failures=reading.failures)


def _table(part: Part, reading: Reading) -> str:
    """A part as the query sees it: where the parts' whole numbers and fractions differ, as doubles that lose nothing."""
    listed = []
    for column, given in part.types.items():
        value, families = (
            part.values.get(column, _name(column)),
            {family(each.types[column]) for each in reading.parts if column in each.types},
        )
        if len(families) > 1 and families <= {"int", "long", "real", "decimal"} and families & {"real", "decimal"}:
            made = convert(value, given, "double", Notation(), column)
            value = (
                f"CASE WHEN {made.lost} THEN error({quote(made.cause)})::DOUBLE ELSE {made.value} END"
                if made.lost
                else made.value
            )
        listed.append(f"{value} AS {_name(column)}")
    return f"SELECT {', '.join(listed)} FROM {part.table}"  # noqa: S608


def bound(query: str, ranges: Bounds, mark: Callable[[int], str]) -> tuple[str, list[Bound]]:
    """The query with the marks of a driver, and their values in order.

    Args:
        query: with ``@span_begin`` and ``@span_end``.
        ranges: their values.
        mark: the number of a mark, from 1, to the mark, e.g. ``$1`` or ``?``.
    """
    values: list[Bound] = []

    def place(match: re.Match[str]) -> str:
        values.append(ranges[match[1]])
        return mark(len(values))

    return (PARAMETER.sub(place, query) if ranges else query), values


def options(uri: str) -> dict[str, str]:
    """What stands behind the ``?`` of a URI."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(uri).query).items()}


def _engines() -> dict[str, Callable[[str, str, Bounds], Iterator[pa.RecordBatch]]]:
    from sluice.examples.formats import warehouses

    return {
        "postgresql": warehouses.postgresql, "redshift": warehouses.postgresql, "bigquery": warehouses.bigquery,
        "snowflake": warehouses.snowflake,
    }  # fmt: skip


def _batches(
    source: Source, run: Callable[[str, str, Bounds], Iterator[pa.RecordBatch]], ranges: list[Bounds]
) -> Iterator[pa.RecordBatch]:
    for bounds in ranges:
        try:
            yield from run(source.uri, source.query, bounds)
        except SluiceError:
            raise
        except Exception as error:
            said = re.search(r"(ERROR|FATAL):.*", str(error))  # before it stands the whole query
            raise SluiceError(f"the database says: {said[0] if said else first_line(error)}", where=source.uri,
                              remedy="check source.query and source.uri; credentials come from the environment") from error  # fmt: skip


def _ranges(source: Source, span: str) -> list[Bounds]:
    """The bounds of each run of spans."""
    from sluice.examples import spans

    if not source.spans:
        return [{}]
    numbers = [part.number for part in spans.read(source, span or spans.select(source, "latest", None))]
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [
        {"span_begin": query_bounds(source, run[0])[0], "span_end": query_bounds(source, run[-1])[1]} for run in runs
    ]


def _edge(source: Source, number: int) -> Bound:
    """Where the span of this number ends; that of 0 is where the first begins."""
    spans = source.spans
    assert spans is not None  # noqa: S101 - the callers have looked
    first, step = spans.first, spans.step
    if isinstance(first, int) or isinstance(step, int):
        return int(first) + number * int(step)  # type: ignore[arg-type]
    if step in ("day", "week"):
        return first + timedelta(days=number * (7 if step == "week" else 1))
    months = first.year * 12 + first.month - 1 + number * (12 if step == "year" else 1)
    return date(months // 12, months % 12 + 1, first.day)
