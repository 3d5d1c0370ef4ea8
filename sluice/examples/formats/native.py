"""Parquet, and JSON as one array: DuckDB reads them, and the files hold their types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.examples.formats import Reading, types_of
from sluice.examples.sql import quote

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source


def read(database: duckdb.DuckDBPyConnection, source: Source, files: Files, kind: str) -> Reading:
    """The files as a table."""
    del source
    table = f"read_{kind}([{', '.join(map(quote, files.uris))}])"
    return Reading(table, types_of(database.sql(f"FROM {table}")))
