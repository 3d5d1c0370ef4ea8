"""Arrow record batches as parts of a reading: of files in a format that DuckDB does not read, of tables and of queries.

The columns keep the types that their format gives; only what DuckDB cannot take becomes the next type that holds it.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import BufferedReader
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from sluice.errors import SluiceError, first_line
from sluice.examples.conversion import EXACT, family
from sluice.examples.formats import FILE, Part, Reading, types_of
from sluice.examples.inference import sample_rows
from sluice.examples.names import check as check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats.filesystem import Files

    Batches = Iterator[pa.RecordBatch]

ROWS, CELLS = 16_384, 500_000
BUFFER = 1 << 20


class Decoder(Protocol):
    """One open file.

    Attributes:
        schema: its columns, in types that hold every value.
        left_out: columns that Arrow does not hold, with their types as the format names them.
    """

    schema: pa.Schema
    left_out: dict[str, str]

    def batches(self) -> Batches:
        """Its rows, in order."""


def read(
    database: duckdb.DuckDBPyConnection, files: Files, decode: Callable[[BinaryIO, str], Decoder], name: str
) -> Reading:
    """Files by a decoder: a part for each schema among them.

    Args:
        database: where the tables are made.
        files: the files.
        decode: opens a file, given its bytes and its name.
        name: the format's, for messages.

    Raises:
        SluiceError: a file is not of this format, or names a column twice.
    """

    def rows(uri: str) -> Batches:
        with _blaming(files, uri, name), BufferedReader(files.open(uri), BUFFER) as file:
            for batch in decode(cast("BinaryIO", file), uri).batches():
                yield _with_file(batch, uri)

    groups: dict[tuple[Any, ...], list[str]] = {}
    for uri in files.uris:
        with _blaming(files, uri, name), BufferedReader(files.open(uri), BUFFER) as file:
            decoder = decode(cast("BinaryIO", file), uri)
            fields = tuple((item.name, item.type) for item in decoder.schema)
            check_names([*decoder.schema.names, *decoder.left_out], uri)
        groups.setdefault((fields, tuple(decoder.left_out.items())), []).append(uri)
    parts = []
    for (fields, left_out), uris in groups.items():
        most = sample_rows(len(fields), len(files.uris))
        heads = lambda uris=uris, most=most: (batch for uri in uris for batch in _first(rows(uri), most))  # noqa: E731
        parts.append(_part(database, dict(fields), chain.from_iterable(map(rows, uris)), heads, files.failures, uris))
        parts[-1].types.update(left_out)
    return Reading(parts, file=FILE, failures=files.failures)


def stream(
    database: duckdb.DuckDBPyConnection, batches: Batches, where: str, failures: list[SluiceError], version: str = ""
) -> Reading:
    """Record batches of one table or query; they are read once.

    The schema is the first batch's: a later one that has other columns is an error.

    Args:
        database: where the table is made.
        batches: the batches.
        where: the table or database.
        failures: takes what goes wrong in it.
        version: the table's.

    Raises:
        SluiceError: there are none, or two columns have one name.
    """
    first = next(batches, None)
    if first is None:
        raise SluiceError("there are no rows", where=where, remedy="give a source that holds some")
    check_names(first.schema.names, where)
    fields = {item.name: item.type for item in first.schema}
    part = _part(database, fields, chain([first], batches), lambda: [first], failures, [where])
    return Reading([part], version=version, failures=failures)


def batch_rows(columns: int) -> int:
    """Rows of a batch that is made of Python's objects: fewer of wider tables."""
    return max(64, min(ROWS, CELLS // max(1, columns)))


@contextmanager
def _blaming(files: Files, uri: str, name: str) -> Iterator[None]:
    """Whatever goes wrong within the block is this file's."""
    try:
        yield
    except SluiceError:
        raise
    except Exception as error:
        if files.failures:
            raise files.failures[0] from error
        raise SluiceError(f"not {name}, cut or damaged: {first_line(error) or type(error).__name__}", where=uri,
                          remedy="write the file anew; source.format says what it is where its name does not") from error  # fmt: skip


def _first(batches: Batches, rows: int) -> Batches:
    """As many rows, or a few more."""
    for batch in batches:
        yield batch
        rows -= len(batch)
        if rows <= 0:
            return


def _with_file(batch: pa.RecordBatch, uri: str) -> pa.RecordBatch:
    import pyarrow as pa

    name = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(batch)), pa.array([uri]))
    return pa.RecordBatch.from_arrays([*batch.columns, name], names=[*batch.schema.names, FILE])


def _part(
    database: duckdb.DuckDBPyConnection, fields: dict[str, pa.DataType], batches: Batches, heads: Callable[[], Iterable[pa.RecordBatch]],
    failures: list[SluiceError], files: list[str],
) -> Part:  # fmt: skip
    """The batches as a registered stream; where kinds depend on values, their heads as a registered table too."""
    import pyarrow as pa

    plain = {column: _plain(kind) for column, kind in fields.items()}
    types = {column: _type(database, column, kind) for column, kind in plain.items()}
    held = {
        column: kind
        for column, kind in plain.items()
        if family(types[column]) != "nested" or types[column] != str(kind)
    }
    schema = pa.schema({**held, FILE: pa.dictionary(pa.int32(), pa.string())})
    made = pa.RecordBatchReader.from_batches(schema, _told(batches, schema, files[0], failures))
    table = f"arrow_{id(made)}"
    database.register(table, made)
    samples = []
    if any(family(given) == "long" for given in types.values()):
        samples = [f"{table}_head"]
        database.register(
            samples[0], pa.Table.from_batches([_like(batch, schema, files[0]) for batch in heads()], schema)
        )
    return Part(table, types, files=files, samples=samples)


def _told(batches: Batches, schema: pa.Schema, where: str, failures: list[SluiceError]) -> Batches:
    """The batches under one schema; what goes wrong is noted, for what DuckDB makes of it says little."""
    try:
        for batch in batches:
            yield _like(batch, schema, where)
    except SluiceError as error:
        failures.append(error)
        raise


def _type(database: duckdb.DuckDBPyConnection, column: str, kind: pa.DataType) -> str:
    """DuckDB's name of a type; Arrow's where DuckDB has none."""
    import duckdb
    import pyarrow as pa

    try:
        return types_of(database.from_arrow(pa.table({column: pa.array([], kind)})))[column]
    except (duckdb.Error, pa.ArrowException):
        return str(kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type that DuckDB takes."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != "arrow.uuid":
        return _plain(kind.storage_type)
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal256(kind):
        return pa.string() if kind.scale <= 0 else pa.float64()
    if pa.types.is_decimal(kind) and kind.scale < 0:
        return pa.decimal128(38, 0)
    return kind


def _like(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    import pyarrow as pa

    columns = []
    for item in schema:
        if item.name in batch.schema.names:
            columns.append(cast_column(batch.column(item.name), item.type, item.name, where))
        elif item.name == FILE:
            columns.append(_with_file(batch, "").column(FILE))
        else:
            columns.append(pa.nulls(len(batch), item.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def cast_column(column: Any, kind: pa.DataType, name: str, where: str) -> Any:
    """A column's values in another type.

    Raises:
        SluiceError: one of them would be lost by that.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type == kind:
        return column
    wide = pa.types.is_decimal256(column.type)
    try:
        if pa.types.is_decimal(column.type) and pa.types.is_floating(kind):
            column = pc.cast(column, pa.string())  # Arrow's own way does not round to the nearest
        made = pc.cast(column, kind)
    except pa.ArrowInvalid as error:
        raise SluiceError(f"column {name!r} is not {kind}: {first_line(error)}", where=where,
                          remedy="make it of a type that holds every value, e.g. with a CAST") from error  # fmt: skip
    if wide and pa.types.is_floating(kind) and (pc.max(pc.abs(made)).as_py() or 0) >= EXACT:
        raise SluiceError(f"column {name!r} has more digits than a double holds", where=where, remedy="CAST it, e.g. as text")  # fmt: skip
    return made
