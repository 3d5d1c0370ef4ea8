"""Names of columns as other people's tables have them: one table for the tests of every stage.

Each stage takes every name of `TAKEN`, all of them in one table; ingest refuses what is in `REFUSED`, in one sentence.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

NUMBERS = (
    "sepal length (cm)", "sepal_length_(cm)", "i/j", "i/j/k", "a.b", "a", "1st", "2019", "_private", "[0, 1)", "100 %",
    "x=y, z", "price in $", "<b>&amp;", "line", "input_0", "numbers", "a_missing",
)  # fmt: skip
"""Numbers; `a` has missing values, and so an indicator that cannot be called ``a_missing``."""
CATEGORIES = ("class", "größe/Länge", 'say "hi"', "it's", "a b", "a_b", "a-b", "back\\slash", "prediction", "数量_hour")
BOOLEAN, TIME, TEXT = "self", "数量", "🙂 text"
LABEL, KEY, WEIGHT = "is it? [y/n]", "key:id, nr. 1", "w/eight (kg)"

TAKEN = (*NUMBERS, *CATEGORIES, BOOLEAN, TIME, TEXT, LABEL, KEY, WEIGHT)

REFUSED = {
    "": "has no name", "  ": "has no name", "a\tb": "control character", "two\nlines": "control character",
    "nul\x00": "control character", "\ufeffid": "control character", "\u202eabc": "control character",
    "__cause": "ingest has one of that name itself", "__Text": "ingest has one of that name itself",
}  # fmt: skip
"""Name to words of the sentence that refuses it."""

TOGETHER = {
    ("age", "age"): "is there twice", ("Age", "age"): "differ in case alone", ("GRÖSSE", "grösse"): "differ in case alone",
    ("caf\u00e9", "cafe\u0301"): "are written with other characters, and look the same",
}  # fmt: skip
"""Names that cannot stand in one table."""


def table(rows: int = 600) -> pa.Table:
    """A table with all of `TAKEN`; the label follows a number, a category and the boolean."""
    start = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    columns: dict[str, list[object]] = {
        name: [float((i * (place + 3)) % 17) for i in range(rows)] for place, name in enumerate(NUMBERS)
    }
    columns["a"] = [None if i % 11 == 0 else float(i % 13) for i in range(rows)]
    columns |= {
        name: [f"{name} {(i // (place + 1)) % 4}" for i in range(rows)] for place, name in enumerate(CATEGORIES)
    }
    columns[BOOLEAN] = [i % 3 == 0 for i in range(rows)]
    columns[TIME] = [start + timedelta(hours=7 * i) for i in range(rows)]
    columns[TEXT] = [f"some words, number {i % 5}" for i in range(rows)]
    columns[LABEL] = [("yes" if (i * 3) % 17 + 4 * (i % 4) + (i % 5) > 14 else "no") for i in range(rows)]
    columns[KEY] = [f"key {i}" for i in range(rows)]
    columns[WEIGHT] = [1.0 + i % 2 for i in range(rows)]
    return pa.table(columns)
