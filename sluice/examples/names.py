"""Which names columns may have: the one rule, held at the first step, so that no later one meets a name that it cannot take."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, ends of lines, changes of direction, byte order marks, halves of characters."""


def check(columns: Iterable[str], where: str, own: Iterable[str] = ()) -> None:
    """Hold the names of a table's columns against the rule.

    Any text is a name that has a visible character and no control character. Names must differ by more than case and more
    than the way an accent is written (Unicode's normal form): stores and databases cannot tell such names apart.

    Args:
        columns: the names, as they stand in the source.
        where: the source.
        own: names that ingest needs itself.

    Raises:
        SluiceError: a name is none, or cannot be told from another; it is named.
    """
    seen: dict[str, str] = {}
    reserved = {_key(name) for name in own}
    for number, column in enumerate(columns, 1):
        if what := _fault(column, number) or _clash(column, seen.get(_key(column))):
            raise SluiceError(what, where=where, remedy="rename it in the source")
        if _key(column) in reserved:
            raise SluiceError(f"a column may not be called {column!r}: ingest has one of that name itself", where=where,
                              remedy="rename it in the source")  # fmt: skip
        seen[_key(column)] = column


def _fault(column: str, number: int) -> str:
    """What is wrong with a name by itself."""
    if not column.strip():
        return f"column {number} has no name"
    if found := UNSEEN.search(column):
        return f"the name of column {number}, {column!r}, has a control character (U+{ord(found[0]):04X})"
    return ""


def _clash(column: str, other: str | None) -> str:
    """Why a name cannot be told from another."""
    if other is None:
        return ""
    if column == other:
        return f"column {column!r} is there twice"
    if unicodedata.normalize("NFC", column) == unicodedata.normalize("NFC", other):
        return f"columns {other!a} and {column!a} are written with other characters, and look the same"
    return f"columns {other!r} and {column!r} differ in case alone"


def _key(column: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", column).casefold())
