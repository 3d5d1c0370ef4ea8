"""Formats that come as a stream of Arrow batches: Avro (fastavro), ORC (pyarrow), TFRecord of tf.Example."""

from __future__ import annotations

from io import BufferedReader
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sluice.errors import SluiceError, first_line
from sluice.examples.formats import Reading, types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source

ROWS = 16_384
BUFFER = 1 << 20


def read(database: duckdb.DuckDBPyConnection, source: Source, files: Files, kind: str) -> Reading:
    """The files, one after the other, as an Arrow stream.

    Raises:
        SluiceError: a file is not of this format.
    """
    del source
    return stream(database, _batches({"avro": _avro, "orc": _orc, "tfrecord": _tfrecord}[kind], files), files.uris[0])


def stream(
    database: duckdb.DuckDBPyConnection, batches: Iterator[pa.RecordBatch], where: str, version: str = ""
) -> Reading:
    """Any record batches as a reading; they are read once.

    The schema is the first batch's: a later one that has other columns is an error. Times become those of UTC, decimals
    without a fraction whole numbers.

    Raises:
        SluiceError: there are none.
    """
    import pyarrow as pa

    first = next(batches, None)
    if first is None:
        raise SluiceError("there are no rows", where=where, remedy="give a source that holds some")
    schema = pa.schema([pa.field(item.name, _plain(item.type)) for item in first.schema])
    failures: list[SluiceError] = []
    made = pa.RecordBatchReader.from_batches(schema, _told(chain([first], batches), schema, where, failures))
    types = types_of(database.from_arrow(pa.Table.from_batches([], schema)))
    database.register("arrow_stream", made)
    return Reading("arrow_stream", types, version=version, failures=failures)


def _told(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, where: str, failures: list[SluiceError]
) -> Iterator[pa.RecordBatch]:
    """The batches under one schema; what goes wrong is noted, for what DuckDB makes of it says little."""
    try:
        for batch in batches:
            yield _like(batch, schema, where)
    except SluiceError as error:
        failures.append(error)
        raise


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type that examples hold it in."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_decimal(kind):
        return pa.int64() if kind.scale <= 0 else pa.float64()
    return kind


def _like(batch: pa.RecordBatch, schema: pa.Schema, where: str) -> pa.RecordBatch:
    import pyarrow as pa

    if unknown := set(batch.schema.names) - set(schema.names):
        raise SluiceError(f"column {min(unknown)!r} is not in the first rows", where=where,
                          remedy="write every column, at least once, in the first rows of the first file")  # fmt: skip
    columns = [
        cast_column(batch.column(item.name), item.type, item.name, where) if item.name in batch.schema.names
        else pa.nulls(len(batch), item.type)
        for item in schema
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def cast_column(column: Any, kind: pa.DataType, name: str, where: str) -> Any:
    """A column's values in another type.

    Raises:
        SluiceError: one of them would be lost by that; only parts of a microsecond may be.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(column.type) and pa.types.is_floating(kind):
        column = pc.cast(column, pa.string())  # Arrow's own way does not round to the nearest
    try:
        return pc.cast(column, kind, safe=not pa.types.is_timestamp(kind))
    except pa.ArrowInvalid as error:
        raise SluiceError(f"column {name!r} is not {kind}: {first_line(error)}", where=where,
                          remedy="make it of a type that holds every value, e.g. with a CAST") from error  # fmt: skip


def _batches(made: Callable[[BinaryIO, str], Iterator[pa.RecordBatch]], files: Files) -> Iterator[pa.RecordBatch]:
    for uri in files.uris:
        with BufferedReader(files.open(uri), BUFFER) as file:
            yield from made(cast("BinaryIO", file), uri)


def _avro(file: BinaryIO, where: str) -> Iterator[pa.RecordBatch]:
    import fastavro
    import pyarrow as pa

    try:
        records: Any = fastavro.reader(file)
    except ValueError as error:
        raise SluiceError(f"not Avro: {error}", where=where, remedy="see source.format") from error
    schema = _avro_schema(records.writer_schema, where)
    while held := list(islice(records, ROWS)):
        yield pa.RecordBatch.from_pylist(held, schema=schema)


def _avro_schema(schema: Any, where: str) -> pa.Schema:
    """Names and types of a record of primitives, each maybe in a union with null."""
    import pyarrow as pa

    primitive = {"int": pa.int64(), "long": pa.int64(), "float": pa.float64(), "double": pa.float64(),
                 "boolean": pa.bool_(), "string": pa.string(), "enum": pa.string()}  # fmt: skip
    times = {"timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros"}
    fields = []
    for item in schema["fields"]:
        options = [
            kind for kind in (item["type"] if isinstance(item["type"], list) else [item["type"]]) if kind != "null"
        ]
        kind = options[0] if len(options) == 1 else None
        logical = kind.get("logicalType", "") if isinstance(kind, dict) else ""
        plain = kind["type"] if isinstance(kind, dict) else kind
        found = (
            pa.timestamp("us") if logical in times else pa.date32() if logical == "date" else primitive.get(str(plain))
        )
        if found is None or (logical and found not in (pa.timestamp("us"), pa.date32())):
            raise SluiceError(f"column {item['name']!r} has a type that examples cannot hold ({item['type']})", where=where,
                              remedy="give numbers, text, booleans or times, or leave the column out")  # fmt: skip
        fields.append(pa.field(item["name"], found))
    return pa.schema(fields)


def _orc(file: BinaryIO, where: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import orc

    try:
        stripes = orc.ORCFile(file)
    except pa.ArrowInvalid as error:
        raise SluiceError(f"not ORC: {error}", where=where, remedy="see source.format") from error
    for number in range(stripes.nstripes):
        yield stripes.read_stripe(number)


def _tfrecord(file: BinaryIO, where: str) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    from sluice.examples.formats.tfrecord import rows

    found = rows(file, where)
    while held := list(islice(found, ROWS)):
        names = dict.fromkeys(name for row in held for name in row)
        yield pa.RecordBatch.from_pydict({name: [row.get(name) for row in held] for name in names})
