"""Avro, by fastavro: records of primitives, times, decimals; what is nested keeps its shape."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from sluice.errors import SluiceError
from sluice.examples.formats import arrow

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sluice.examples.formats import Reading
    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source


class Avro:
    """Avro object container files."""

    suffixes = (".avro",)

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """A part for each schema among the files."""
        del source
        return arrow.read(database, files, Records, "Avro")


class Records:
    """One open file.

    Args:
        file: its bytes.
        where: its name.

    Raises:
        SluiceError: its schema is no record.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        import fastavro
        import pyarrow as pa

        self._records: Any = fastavro.reader(file)
        written = self._records.writer_schema
        if not isinstance(written, dict) or written.get("type") != "record":
            raise SluiceError("an Avro file of something other than records", where=where, remedy="write records, a field a column")  # fmt: skip
        named: dict[str, Any] = {}
        types = {field["name"]: arrow_type(field["type"], named) for field in written["fields"]}
        self.schema = pa.schema({name: kind for name, kind in types.items() if kind is not None})
        self.left_out = {
            field["name"]: _told(field["type"]) for field in written["fields"] if types[field["name"]] is None
        }

    def batches(self) -> arrow.Batches:
        """Its rows."""
        import pyarrow as pa

        rows = arrow.batch_rows(len(self.schema))
        while held := list(islice(self._records, rows)):
            yield pa.RecordBatch.from_pylist(held, schema=self.schema)


def arrow_type(schema: Any, named: dict[str, Any]) -> pa.DataType | None:
    """An Avro type's Arrow type; None where there is none (a union of several that are not all numbers).

    A logical type that is not known, or does not fit its type, is its underlying type (Avro's specification).

    Args:
        schema: the type; a named one may be its name.
        named: the named types so far, which grows.
    """
    import pyarrow as pa

    if isinstance(schema, list):
        options = [arrow_type(option, named) for option in schema if option != "null"]
        if not options:
            return pa.null()
        if len(options) == 1 or all(option == options[0] for option in options):
            return options[0]
        whole = {pa.int64()}
        return pa.float64() if set(options) <= whole | {pa.float32(), pa.float64()} and set(options) - whole else None
    if isinstance(schema, str):
        plain = {
            "null": pa.null(), "boolean": pa.bool_(), "int": pa.int64(), "long": pa.int64(), "float": pa.float32(),
            "double": pa.float64(), "bytes": pa.binary(), "string": pa.string(),
        }  # fmt: skip
        return plain[schema] if schema in plain else named.get(schema)
    if logical := _logical(schema):
        made: pa.DataType | None = logical
    else:
        made = _complex(schema, named)
    for name in {schema.get("name"), str(schema.get("namespace", "")) + "." + str(schema.get("name"))} - {None}:
        if schema["type"] in ("enum", "fixed", "record"):
            named[str(name)] = made
    return made


def _logical(schema: dict[str, Any]) -> pa.DataType | None:
    """The Arrow type of a logical type; None where it is not known, or does not fit its type."""
    import pyarrow as pa

    plain, logical = schema["type"], schema.get("logicalType")
    known: dict[tuple[Any, Any], pa.DataType] = {
        ("int", "date"): pa.date32(), ("int", "time-millis"): pa.time64("us"), ("long", "time-micros"): pa.time64("us"),
        ("long", "timestamp-millis"): pa.timestamp("us", "UTC"), ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
        ("long", "local-timestamp-millis"): pa.timestamp("us"), ("long", "local-timestamp-micros"): pa.timestamp("us"),
        ("string", "uuid"): pa.uuid(),
    }  # fmt: skip
    if logical == "decimal" and plain in ("bytes", "fixed") and 0 < int(schema.get("precision", 0)) <= 76:
        precision, scale = int(schema["precision"]), int(schema.get("scale", 0))
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    return known.get((plain, logical))


def _complex(schema: dict[str, Any], named: dict[str, Any]) -> pa.DataType | None:
    import pyarrow as pa

    plain = schema["type"]
    if plain == "enum":
        return pa.string()
    if plain == "fixed":
        return pa.binary()
    if plain == "array":
        items = _inner(schema["items"], named)
        return None if items is None else pa.list_(items)
    if plain == "map":
        values = _inner(schema["values"], named)
        return None if values is None else pa.map_(pa.string(), values)
    if plain == "record":
        fields = {field["name"]: _inner(field["type"], named) for field in schema["fields"]}
        return None if None in fields.values() else pa.struct(list(fields.items()))
    return arrow_type(plain, named)


def _inner(schema: Any, named: dict[str, Any]) -> pa.DataType | None:
    """The type of a part of a nested one: there pyarrow takes no UUID."""
    import pyarrow as pa

    found = arrow_type(schema, named)
    return None if found == pa.uuid() else found


def _told(schema: Any) -> str:
    """A type in a few words."""
    if isinstance(schema, list):
        return f"union of {', '.join(map(_told, schema))}"
    return str(schema["type"] if isinstance(schema, dict) else schema)
