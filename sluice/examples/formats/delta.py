"""Delta Lake tables, here and in stores: the newest version, one by its number, or the one of a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError, first_line
from sluice.examples.formats import arrow
from sluice.examples.formats.extras import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats import Reading
    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source


class Delta:
    """A Delta Lake table, by its folder."""

    suffixes = ()

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """The table as an Arrow stream, and its version.

        Raises:
            SluiceError: there is no such table or version, or the extra is not installed.
        """
        if len(files.uris) > 1:
            raise SluiceError("a Delta Lake table is one", where="source.uri", remedy="name it without spans")
        (uri,) = files.uris
        table = _table(source, uri)
        return arrow.stream(database, _batches(table, uri), uri, files.failures, version=str(table.version()))


def _table(source: Source, uri: str) -> Any:
    deltalake = needed("deltalake", "delta")
    try:
        table = deltalake.DeltaTable(uri, version=source.version)
        if source.timestamp:
            written = {each["version"]: each["timestamp"] for each in table.history()}
            table.load_as_version(source.timestamp)
            if written.get(table.version(), 0) > source.timestamp.timestamp() * 1000:  # before all, it takes the first
                raise ValueError(f"there was no version yet at {source.timestamp.isoformat()}")
    except Exception as error:
        raise SluiceError(f"cannot open the table: {first_line(error)}", where=uri,
                          remedy="check source.uri, source.version and source.timestamp; "
                                 "old versions are gone after a VACUUM") from error  # fmt: skip
    return table


def _batches(table: Any, uri: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from deltalake import QueryBuilder

    try:
        found = QueryBuilder().register("source", table).execute("SELECT * FROM source")
        yield from pa.RecordBatchReader.from_stream(found)
    except Exception as error:
        raise SluiceError(f"cannot read the table: {first_line(error)}", where=uri, remedy="see whether its files are all there") from error  # fmt: skip
