"""Formats: from the files of a source to one table that DuckDB streams.

A reader makes a `Reading`; what reads tables from elsewhere (a query, a table format) makes one too, of an Arrow
stream or a SQL text, and ingest does the rest: types, quarantine, splits, digest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice import storage
from sluice.errors import SluiceError

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.source import Source

SUFFIXES = {
    ".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".avro": "avro", ".orc": "orc", ".tfrecord": "tfrecord", ".tfrecords": "tfrecord",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A table to be read once, in order.

    Attributes:
        table: SQL after FROM; a view, a registered Arrow stream or a call of a reader.
        types: column to DuckDB type, as the table gives it (text where the values are still to be parsed).
        proposed: column to the DuckDB type that its text seems to hold; those of `types` elsewhere.
        values: column to the SQL that gives it, where that is not its name.
        file: SQL of the file a row is from, empty where nothing tells.
        malformed: SQL that gives the cause where a row as a whole does not parse, else NULL; empty: all parse.
        raw: SQL of the row's text; empty: the row as JSON.
        first_line: number of the first row's line in its file.
        rejects: whether the reader puts lines aside itself, in DuckDB's table ``reject_errors``.
    """

    table: str
    types: dict[str, str]
    proposed: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    file: str = ""
    malformed: str = ""
    raw: str = ""
    first_line: int = 1
    rejects: bool = False


def open_source(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str]) -> Reading:
    """Make the source's files a table; nothing but names and types is read here.

    Raises:
        SluiceError: no such file, a format that the name does not tell, or files that are not of it.
    """
    import duckdb

    from sluice.examples.formats import arrow, delimited, native

    if missing := [uri for uri in uris if storage.is_local(uri) and not matches(uri)]:
        raise SluiceError(
            "no such file",
            where=missing[0],
            remedy="check source.uri in sluice.yaml; a relative path starts at its folder",
        )
    name = kind(source, uris[0])
    readers: dict[str, Any] = {
        "parquet": native.read, "json": native.read, "csv": delimited.csv, "jsonl": delimited.jsonl,
        "avro": arrow.read, "orc": arrow.read, "tfrecord": arrow.read,
    }  # fmt: skip
    try:
        reading: Reading = readers[name](database, source, uris, name)
    except duckdb.Error as error:
        raise SluiceError(
            str(error).splitlines()[0], where=uris[0], remedy=f"it should be {name}; see source.format"
        ) from error
    return reading


def kind(source: Source, uri: str) -> str:
    """The format by name, as given or by the file's name."""
    if source.format != "auto":
        return source.format
    suffix = Path(uri.removesuffix(".gz").removesuffix(".zst")).suffix.lower()
    if suffix not in SUFFIXES:
        raise SluiceError(f"cannot tell the format of {suffix or 'a name without a suffix'}", where=uri,
                          remedy=f"set source.format to one of {', '.join(dict.fromkeys(SUFFIXES.values()))}")  # fmt: skip
    return SUFFIXES[suffix]


def matches(uri: str) -> list[Path]:
    """The local files that a path or glob names, in order."""
    path = storage.local_path(uri)
    return [path] if path.is_file() else sorted(Path(path.anchor or ".").glob(str(path).removeprefix(path.anchor)))


def types_of(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    """Column to DuckDB type."""
    return {column: str(kind) for column, kind in zip(relation.columns, relation.types, strict=True)}
