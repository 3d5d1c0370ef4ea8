"""Parquet: DuckDB reads it; files of the same columns and types are read together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.errors import SluiceError, first_line
from sluice.examples.formats import FILE, Part, Reading, types_of
from sluice.examples.inference import sample_rows
from sluice.examples.names import check as check_names
from sluice.examples.sql import quote

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source


class Parquet:
    """Parquet, as every writer compresses it."""

    suffixes = (".parquet", ".pq")

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """A part for each set of columns and types among the files."""
        del source
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for uri in files.uris:
            types = _types(database, files, uri)
            groups.setdefault(tuple(types.items()), []).append(uri)
        return Reading([_part(dict(types), uris, len(files.uris)) for types, uris in groups.items()], file=FILE)


def _part(types: dict[str, str], uris: list[str], files: int) -> Part:
    rows = sample_rows(len(types), files)
    return Part(
        _table(uris), types, files=uris, only=lambda uri: _table([uri]),
        samples=[f"(FROM {_table([uri])} LIMIT {rows})" for uri in uris],
    )  # fmt: skip


def _table(uris: list[str]) -> str:
    return f"read_parquet([{', '.join(map(quote, uris))}], filename={quote(FILE)}, hive_partitioning=false)"


def _types(database: duckdb.DuckDBPyConnection, files: Files, uri: str) -> dict[str, str]:
    import duckdb

    try:
        types = types_of(database.sql(f"FROM {_table([uri])}"))
        if any(name.endswith(("_1", "_2")) for name in types):  # so DuckDB renames a column that is there twice
            check_names(_names(database, uri), uri)
    except (duckdb.Error, OSError) as error:
        raise files.failures[0] if files.failures else SluiceError(
            f"not Parquet, or damaged: {first_line(error)}", where=uri,
            remedy="write the file anew; source.format says what it is where its name does not",
        ) from error  # fmt: skip
    del types[FILE]
    return types


def _names(database: duckdb.DuckDBPyConnection, uri: str) -> list[str]:
    """The columns' names as they stand in the file: the children of the schema's root, in its preorder."""
    rows = database.execute(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({quote(uri)})").fetchall()  # noqa: S608
    names, depth = [], [int(rows[0][1])]
    for name, children in rows[1:]:
        if len(depth) == 1:
            names.append(str(name))
        depth[-1] -= 1
        if children:
            depth.append(int(children))
        while len(depth) > 1 and not depth[-1]:
            depth.pop()
    return names
