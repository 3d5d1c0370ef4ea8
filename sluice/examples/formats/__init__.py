"""Formats: from the files of a source, a Delta Lake table or a query to one table that DuckDB streams.

A reader makes a `Reading`, of a SQL text or an Arrow stream, and ingest does the rest: types, quarantine, splits,
digest. `remote` knows which files a URI names, `filesystem` reads them in blocks.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice import storage
from sluice.errors import SluiceError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        version: of the table that is read, where its format has versions.
        failures: what went wrong in its store, its table or its database while it was read; the first is the cause.
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
    version: str = ""
    failures: list[SluiceError] = field(default_factory=list)


def open_source(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str], span: str = "") -> Reading:
    """Make the source a table; nothing but names and types is read here.

    Args:
        database: where the table is made.
        source: the source.
        uris: its files, globs too, of the spans to read; its own URI where it is a query.
        span: the spans in explicit form, by which a query is bound.

    Raises:
        SluiceError: no such file, a format that the name does not tell, files that are not of it, or a place that
            does not let us in or does not answer.
    """
    from sluice.examples.formats import query

    if source.query and query.engine(source):
        return query.read(database, source, span)
    reading = _open_files(database, source, uris)
    return query.over(database, source, reading, span) if source.query else reading


def _open_files(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str]) -> Reading:
    from sluice.examples.formats import arrow, delimited, delta, native
    from sluice.examples.formats.filesystem import Files
    from sluice.examples.formats.remote import facts, place

    for uri in uris:
        if not storage.is_local(uri):
            place(uri)  # a scheme that nothing reads, or a secret
    name = kind(source, uris[0])
    if name == "delta":
        return delta.read(database, source, uris)
    (folder,) = database.execute("SELECT current_setting('temp_directory')").fetchall()[0]
    files = Files(facts(uris), folder or "")
    if not all(map(storage.is_local, files.uris)):
        database.register_filesystem(files)
    readers: dict[str, Any] = {
        "parquet": native.read, "json": native.read, "csv": delimited.csv, "jsonl": delimited.jsonl,
        "avro": arrow.read, "orc": arrow.read, "tfrecord": arrow.read,
    }  # fmt: skip
    with explaining(files.failures, uris[0], f"it should be {name}; see source.format"):
        reading: Reading = readers[name](database, source, files, name)
    return replace(reading, failures=reading.failures or files.failures)


@contextmanager
def explaining(failures: list[SluiceError], where: str, remedy: str) -> Iterator[None]:
    """What goes wrong in DuckDB and Arrow within the block, in words: as its cause was told, if it was.

    Raises:
        SluiceError: the first of the failures, or one made of the library's first line.
    """
    import duckdb
    import pyarrow as pa

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if failures:
            raise failures[0] from error
        raise SluiceError(first_line(error), where=where, remedy=remedy) from error


def kind(source: Source, uri: str) -> str:
    """The format by name, as given or by the file's name."""
    from sluice.examples.formats.remote import is_table

    if source.format != "auto":
        return source.format
    suffix = Path(uri.removesuffix(".gz").removesuffix(".zst")).suffix.lower()
    if suffix not in SUFFIXES and is_table(uri):
        return "delta"
    if suffix not in SUFFIXES:
        raise SluiceError(f"cannot tell the format of {suffix or 'a name without a suffix'}", where=uri,
                          remedy=f"set source.format to one of {', '.join(dict.fromkeys(SUFFIXES.values()))}, delta")  # fmt: skip
    return SUFFIXES[suffix]


def matches(uri: str) -> list[Path]:
    """The local files that a path or glob names, in order."""
    path = storage.local_path(uri)
    return [path] if path.is_file() else sorted(Path(path.anchor or ".").glob(str(path).removeprefix(path.anchor)))


def types_of(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    """Column to DuckDB type."""
    return {column: str(kind) for column, kind in zip(relation.columns, relation.types, strict=True)}
