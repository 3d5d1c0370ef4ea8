"""Text and names as SQL holds them."""

from __future__ import annotations


def quote(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def name(column: str) -> str:
    """An identifier."""
    return '"' + column.replace('"', '""') + '"'
