"""Formats: from the files of a source, a Delta Lake table or a query to tables that DuckDB streams.

Each format is a class behind one protocol (`Format`). It makes a `Reading` of SQL texts or Arrow streams, a `Part` for
each set of files that have the same columns, and ingest does the rest: kinds, quarantine, splits, digest. `remote` knows
which files a URI names, `filesystem` reads them in blocks.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, cast

from sluice import storage
from sluice.errors import SluiceError, first_line
from sluice.examples.manifest import SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source

FILE = "__file"
"""The column that names the file of a row."""
SHARD = re.compile(r"-\d{5}-of-\d{5}(?=$|\.)")
"""TensorFlow's and Spark's suffix of one file of many."""
COMPRESSED = (".gz", ".zst", ".gzip", ".zstd")


@dataclass(frozen=True)
class Part:
    """Files whose columns have the same names and types.

    Attributes:
        table: SQL after FROM.
        types: column to DuckDB type, as the table gives it; a type that kinds do not hold where the table leaves it out.
        values: column to the SQL that gives it, where that is not its name.
        samples: tables of the first rows of each file, with the same columns (or their JSON), to infer kinds from.
        looks: column to the SQL that gives it in a sample, where that is not its name.
        files: their URIs.
        only: a file's URI to the SQL of the table with that file alone, where it can be read again.
    """

    table: str
    types: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)
    samples: Sequence[str] = ()
    looks: dict[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()
    only: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Reading:
    """Tables to be read once, in order.

    Attributes:
        parts: the tables; their rows are the source's, by the names of their columns.
        infer: how the kinds of text columns are found: from text (``csv``), from JSON (``json``), or empty: they are text.
        file: SQL of the file a row is from, empty where nothing tells.
        malformed: SQL that gives the cause where a row as a whole does not parse, else NULL; empty: all parse.
        raw: SQL of the row's text; empty: the row as JSON.
        first_line: number of the first row's line in its file.
        rejects: whether the reader puts lines aside itself, in DuckDB's table ``reject_errors``.
        version: of the table that is read, where its format has versions.
        failures: what went wrong in its store, its table or its database while it was read; the first is the cause.
    """

    parts: Sequence[Part]
    infer: Literal["", "csv", "json"] = ""
    file: str = ""
    malformed: str = ""
    raw: str = ""
    first_line: int = 1
    rejects: bool = False
    version: str = ""
    failures: list[SluiceError] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in the order in which they come first."""
        return list(dict.fromkeys(column for part in self.parts for column in part.types))


class Format(Protocol):
    """How files of one format are read."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files' names."""

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """The files as tables; nothing but names, types and first rows is read here.

        Raises:
            SluiceError: a file is not of this format, or names a column twice.
        """


def formats() -> dict[str, Format]:
    """Name to format."""
    from sluice.examples.formats.avro import Avro
    from sluice.examples.formats.delimited import Csv
    from sluice.examples.formats.delta import Delta
    from sluice.examples.formats.json_text import Json, JsonLines
    from sluice.examples.formats.orc import Orc
    from sluice.examples.formats.parquet import Parquet
    from sluice.examples.formats.tfrecord import TFRecord

    return {
        "parquet": Parquet(), "csv": Csv(), "json": Json(), "jsonl": JsonLines(), "avro": Avro(), "orc": Orc(),
        "tfrecord": TFRecord(), "delta": Delta(),
    }  # fmt: skip


def open_source(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str], span: str = "") -> Reading:
    """Make the source a table; nothing but names, types and first rows is read here.

    Args:
        database: where the table is made.
        source: the source.
        uris: its files, globs too, of the spans to read; its own URI where it is a query.
        span: the spans in explicit form, by which a query is bound.

    Raises:
        SluiceError: no such file, a format that the name does not tell, files that are not of it, a column that is there
            twice, or a place that does not let us in or does not answer.
    """
    from sluice.examples import names
    from sluice.examples.formats import choose, query

    if source.query and query.engine(source):
        reading = query.read(database, source, span)
    else:
        reading = _open_files(database, source, uris)
        reading = query.over(database, source, reading, span) if source.query else reading
    for part in reading.parts:
        names.check(part.types, part.files[0] if part.files else source.uri)
    names.check(reading.columns, source.uri)
    return choose.select(database, source, reading)


def _open_files(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str]) -> Reading:
    from sluice.examples.formats.filesystem import Files
    from sluice.examples.formats.remote import facts, place
    from sluice.examples.formats.zstd import require_whole

    for uri in uris:
        if not storage.is_local(uri):
            place(uri)  # a scheme that nothing reads, or a secret
    (folder,) = database.execute("SELECT current_setting('temp_directory')").fetchall()[0]
    held = [SourceFile(uri=uri) for uri in uris] if source.format == "delta" else facts(uris)
    files = Files(held, folder or "")
    name = kind(source, files)
    if not all(map(storage.is_local, files.uris)):
        database.register_filesystem(files)
    for uri in files.uris:
        if uri.endswith((".zst", ".zstd")):
            with BufferedReader(files.open(uri)) as file:
                require_whole(cast("BinaryIO", file), files.size(uri), uri)
    with explaining(files.failures, uris[0], f"it should be {name}; see source.format"):
        reading = formats()[name].open(database, source, files)
    return replace(reading, failures=files.failures)


@contextmanager
def explaining(
    failures: list[SluiceError], where: str, remedy: str, culprit: Callable[[], str] | None = None
) -> Iterator[None]:
    """What goes wrong in DuckDB and Arrow within the block, in words: as its cause was told, if it was.

    Args:
        failures: causes that were noted elsewhere.
        where: what was read.
        remedy: what to do.
        culprit: finds the file that cannot be read, among many.

    Raises:
        SluiceError: the first of the failures, or one made of the library's first line.
    """
    import duckdb
    import pyarrow as pa

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeError) as error:
        if failures:
            raise failures[0] from error
        raise SluiceError(f"cannot be read: {first_line(error)}", where=culprit() if culprit else where, remedy=remedy) from error  # fmt: skip


def culprit(database: duckdb.DuckDBPyConnection, reading: Reading, where: str) -> str:
    """The first of the files that cannot be read by itself; `where` if all can, or cannot be read again."""
    import duckdb

    for part in reading.parts:
        for uri in part.files if part.only else ():
            try:
                relation = database.cursor().sql(f"FROM {part.only(uri)}")  # type: ignore[misc]
                for _ in relation.to_arrow_reader(65_536):
                    pass
            except (duckdb.Error, OSError, SluiceError):
                return uri
    return where


def kind(source: Source, files: Files) -> str:
    """The format by name: as given, by the first file's name, or by its first bytes."""
    from sluice.examples.formats.remote import is_table

    if source.format != "auto":
        return source.format
    uri = files.uris[0]
    if storage.is_local(uri) and is_table(uri):
        return "delta"
    known = {suffix: name for name, each in formats().items() for suffix in each.suffixes}
    if found := known.get(suffix(uri)):
        return found
    if not storage.is_local(uri) and is_table(uri):
        return "delta"
    if found := _by_content(files, uri):
        return found
    raise SluiceError(f"cannot tell the format of {suffix(uri) or 'a name without a suffix'}", where=uri,
                      remedy=f"set source.format to one of {', '.join(formats())}")  # fmt: skip


def suffix(uri: str) -> str:
    """Of a file's name, without what says that it is compressed or one of many."""
    name = uri.rpartition("/")[2]
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return Path(SHARD.sub("", name)).suffix.lower()


def _by_content(files: Files, uri: str) -> str:
    """By the first bytes, of formats that begin with their own."""
    from sluice.examples.formats.tfrecord import begins

    with files.open(uri) as file:
        head = file.read(16) or b""
    for name, magic in {"parquet": b"PAR1", "avro": b"Obj\x01", "orc": b"ORC"}.items():
        if head.startswith(magic):
            return name
    return "tfrecord" if begins(head) else ""


def types_of(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    """Column to DuckDB type."""
    return {column: str(kind) for column, kind in zip(relation.columns, relation.types, strict=True)}
