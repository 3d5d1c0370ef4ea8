"""Formats that come as a stream of Arrow batches: Avro (fastavro), ORC (pyarrow), TFRecord of tf.Example."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sluice import storage
from sluice.errors import SluiceError
from sluice.examples.formats import Reading, matches, types_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from sluice.examples.source import Source

ROWS = 16_384


def read(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str], kind: str) -> Reading:
    """The files, one after the other, as an Arrow stream.

    Raises:
        SluiceError: a file is not of this format, or not on this machine.
    """
    del source
    if remote := [uri for uri in uris if not storage.is_local(uri)]:
        raise SluiceError(f"{kind} is read from local files", where=remote[0], remedy="copy it here, or give Parquet")
    files = [file for uri in uris for file in matches(uri)]
    return stream(database, reader(files, kind))


def stream(database: duckdb.DuckDBPyConnection, batches: pa.RecordBatchReader) -> Reading:
    """Any Arrow stream as a reading; it is read once."""
    import pyarrow as pa

    empty = pa.Table.from_batches([], batches.schema)
    types = types_of(database.from_arrow(empty))
    database.register("arrow_stream", batches)
    return Reading("arrow_stream", types)


def reader(files: list[Path], kind: str) -> pa.RecordBatchReader:
    """Record batches of the files; the schema is the first batch's, and a later one that differs is an error."""
    import pyarrow as pa

    made = chain.from_iterable({"avro": _avro, "orc": _orc, "tfrecord": _tfrecord}[kind](file) for file in files)
    first = next(made, None)
    if first is None:
        raise SluiceError("there are no rows", where=str(files[0]), remedy="give a file that holds some")
    return pa.RecordBatchReader.from_batches(first.schema, (_like(b, first.schema) for b in chain([first], made)))


def _like(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if unknown := set(batch.schema.names) - set(schema.names):
        raise SluiceError(f"column {min(unknown)!r} is not in the first rows", where="source.uri",
                          remedy="write every column, at least once, in the first rows of the first file")  # fmt: skip
    import pyarrow as pa

    columns = [
        batch.column(item.name).cast(item.type) if item.name in batch.schema.names else pa.nulls(len(batch), item.type)
        for item in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _avro(file: Path) -> Iterator[pa.RecordBatch]:
    import fastavro

    with file.open("rb") as handle:
        try:
            records: Any = fastavro.reader(handle)
        except ValueError as error:
            raise SluiceError(f"not Avro: {error}", where=str(file), remedy="see source.format") from error
        schema = _avro_schema(records.writer_schema, str(file))
        yield from _batches(records, schema)


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


def _orc(file: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import orc

    try:
        stripes = orc.ORCFile(file)
    except pa.ArrowInvalid as error:
        raise SluiceError(f"not ORC: {error}", where=str(file), remedy="see source.format") from error
    for number in range(stripes.nstripes):
        yield stripes.read_stripe(number)


def _tfrecord(file: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    from sluice.examples.formats.tfrecord import rows

    found = rows(file)
    while held := list(islice(found, ROWS)):
        names = dict.fromkeys(name for row in held for name in row)
        yield pa.RecordBatch.from_pydict({name: [row.get(name) for row in held] for name in names})


def _batches(rows: Iterator[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    while held := list(islice(rows, ROWS)):
        yield pa.RecordBatch.from_pylist(held, schema=schema)
