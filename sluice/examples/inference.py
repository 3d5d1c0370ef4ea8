"""Inference: what the text of a column seems to hold, by strict patterns that are the same for every format.

A whole number has no leading zero, no sign ``+`` and fits int64; a number with a fraction has an exponent only with a
sign or a point (``12e4567`` is an id); a boolean is ``true`` or ``false``; a time is ISO 8601. Anything else is text, and
a column is of a kind only where every value looked at is.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sluice.examples.conversion import CLOCK, DATE, ZONE, Notation, number_pattern
from sluice.examples.sql import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

INT, REAL, SPECIAL, BOOL, DAY, LOCAL, ZONED, TEXT, NESTED = (1 << bit for bit in range(9))
MOST, LEAST, CELLS = 20_480, 256, 1_500_000
AT_ONCE = 100
"""Columns that are looked at in one query: each takes vectors for some forty expressions."""
SPECIALS = "(?i)[+-]?(?:nan|inf(?:inity)?)"


def sample_rows(columns: int, files: int) -> int:
    """How many rows of each file are looked at: fewer of wider tables and of many files, the same of each."""
    return max(LEAST, min(MOST, CELLS // max(1, columns)) // max(1, files))


def classes(
    database: duckdb.DuckDBPyConnection,
    samples: Sequence[str],
    texts: dict[str, str],
    notation: Notation,
    *,
    json: bool,
) -> dict[str, int]:
    """Column to the classes of its values, as bits; 0 where all looked at are missing.

    Args:
        database: reads the samples.
        samples: tables to look at.
        texts: column to the SQL of its text; of its JSON where it is JSON.
        notation: how numbers are written.
        json: whether the texts are JSON: a string in it is no number.
    """
    found = dict.fromkeys(texts, 0)
    class_of = _json_class if json else _class
    for sample in samples if texts else ():
        table = sample
        if len(texts) > AT_ONCE:  # it is read once, and looked at in parts
            table = "wide_sample"
            listed = ", ".join(f"{text} AS _{number}" for number, text in enumerate(texts.values()))
            database.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {listed} FROM {sample}")  # noqa: S608
        names = {
            column: f"_{number}" if table != sample else text for number, (column, text) in enumerate(texts.items())
        }
        for columns in batched(texts, AT_ONCE):
            listed = ", ".join(f"bit_or({class_of(names[column], notation)})" for column in columns)
            seen = database.execute(f"SELECT {listed} FROM {table}").fetchall()[0]  # noqa: S608
            found |= {column: found[column] | (bits or 0) for column, bits in zip(columns, seen, strict=True)}
    database.execute("DROP TABLE IF EXISTS wide_sample")
    return found


def batched(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """As many at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def too_long(database: duckdb.DuckDBPyConnection, samples: Sequence[str], values: dict[str, str]) -> set[str]:
    """The columns of whole numbers of which a value looked at does not fit int64."""
    listed = ", ".join(
        f"bool_or({value} IS NOT NULL AND TRY_CAST({value} AS BIGINT) IS NULL)" for value in values.values()
    )
    found: set[str] = set()
    for sample in samples if values else ():
        seen = database.execute(f"SELECT {listed} FROM {sample}").fetchall()[0]  # noqa: S608
        found |= {column for column, long in zip(values, seen, strict=True) if long}
    return found


def proposed(bits: int) -> str:
    """The kind of a column whose values are of these classes; empty where none holds them."""
    if bits & NESTED:
        return ""
    if bits and not bits & ~(INT | REAL | SPECIAL) and bits != SPECIAL:
        return "int64" if bits == INT else "double"
    if bits == BOOL:
        return "bool"
    return "timestamp[us]" if bits and not bits & ~(DAY | LOCAL | ZONED) else "string"


def _class(text: str, notation: Notation) -> str:
    number = f"regexp_full_match({text}, {quote(number_pattern(notation))})"
    whole = f"TRY_CAST({notation.number(text)} AS BIGINT)::VARCHAR"
    is_int = f"{whole} = {text}" if notation.plain else f"{number} AND {whole} = {notation.number(text)}"
    # Digits alone that int64 does not hold are no number.
    is_real = f"{number} AND NOT regexp_full_match({text}, '-?[0-9]{{16,}}')"
    return (
        f"CASE WHEN {text} IS NULL THEN 0 WHEN {is_int} THEN {INT} WHEN {is_real} THEN {REAL} {_others(text)} "
        f"WHEN lower({text}) IN ('true', 'false') THEN {BOOL} WHEN regexp_full_match({text}, {quote(SPECIALS)}) THEN {SPECIAL} "
        f"ELSE {TEXT} END"
    )


def _others(text: str) -> str:
    """Dates and times, which are there: 31 February is none."""
    there = f"TRY_CAST({text} AS TIMESTAMP) IS NOT NULL"
    return " ".join(
        f"WHEN regexp_full_match({text}, {quote(pattern)}) AND {there} THEN {bit}"
        for pattern, bit in ((DATE, DAY), (DATE + CLOCK, LOCAL), (DATE + CLOCK + ZONE, ZONED))
    )


def _json_class(json: str, notation: Notation) -> str:
    inner = f"({json})[2:-2]"
    string = f"CASE {_others(inner)} WHEN regexp_full_match({inner}, {quote(SPECIALS)}) THEN {SPECIAL} ELSE {TEXT} END"
    return (
        f"CASE WHEN {json} IS NULL OR {json} = 'null' THEN 0 WHEN starts_with({json}, '\"') THEN {string} "
        f"WHEN starts_with({json}, '{{') OR starts_with({json}, '[') THEN {NESTED} ELSE {_class(json, notation)} END"
    )
