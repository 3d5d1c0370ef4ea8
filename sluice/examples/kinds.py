"""Types: what a column is stored as, as told or as found, and the SQL that parses it without losing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.examples.sql import name as _name

if TYPE_CHECKING:
    from sluice.examples.formats import Reading
    from sluice.examples.source import Source

ARROW_TYPES = {
    "TINYINT": "int64", "SMALLINT": "int64", "INTEGER": "int64", "BIGINT": "int64", "UTINYINT": "int64",
    "USMALLINT": "int64", "UINTEGER": "int64", "HUGEINT": "double", "FLOAT": "double", "DOUBLE": "double",
    "BOOLEAN": "bool", "VARCHAR": "string", "DATE": "timestamp[us]", "TIMESTAMP": "timestamp[us]",
    "TIMESTAMP_S": "timestamp[us]", "TIMESTAMP_MS": "timestamp[us]", "TIMESTAMP_NS": "timestamp[us]",
}  # fmt: skip
STORED = {"int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "string": "VARCHAR", "timestamp[us]": "TIMESTAMP"}
SCHEMA_TYPES = {"INT": "int64", "FLOAT": "double", "BYTES": "string"}
TEXTUAL = {"bool", "timestamp[us]"}
"""Kinds that TensorFlow Metadata has no type for: a schema knows such columns as bytes."""


@dataclass(frozen=True)
class Columns:
    """A table's columns.

    Attributes:
        kinds: column name to the Arrow type it is stored as.
        inferred: those whose type is a proposal, found in the text of the first rows.
    """

    kinds: dict[str, str]
    inferred: list[str]


def columns(source: Source, reading: Reading, schema: str = "") -> Columns:
    """What each column is stored as: as `source.types` tells, as the schema tells, or as found.

    Args:
        source: the source.
        reading: its columns, with the types found.
        schema: text of a ``schema.pbtxt``; it decides for columns whose type was found in text.

    Raises:
        SluiceError: a type is told for a column that is not there, or one has no place in examples.
    """
    if unknown := [column for column in source.types if column not in reading.types]:
        raise SluiceError(f"{unknown[0]!r} is not a column of the source", where="source.types",
                          remedy=f"columns: {', '.join(reading.types)}")  # fmt: skip
    found = {**reading.types, **reading.proposed}
    told = of_schema(schema) if schema else {}
    kinds, inferred = {}, []
    for column, given in found.items():
        kind = arrow(given)
        if column in source.types:
            kind = source.types[column]
        elif column in reading.proposed:
            by_schema = _by_schema(told.get(column, ""), kind)
            kind = by_schema or kind
            inferred += [] if by_schema else [column]
        if not kind:
            raise SluiceError(f"column {column!r} has a type that examples cannot hold ({given})", where=source.uri,
                              remedy="give numbers, text, booleans or times, or leave the column out")  # fmt: skip
        kinds[column] = kind
    return Columns(kinds, inferred)


def _by_schema(told: str, kind: str) -> str:
    """The type by the schema, for a column whose text seems to hold a kind; empty where the schema does not say."""
    return "" if told == "string" and kind in TEXTUAL else told


def of_schema(text: str) -> dict[str, str]:
    """Column to type, of the text of a ``schema.pbtxt``.

    Raises:
        SluiceError: it is no schema.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise SluiceError(f"not a schema: {error}", where="schema_file",
                          remedy="make one with `sluice schema infer`") from None  # fmt: skip
    named = schema_pb2.FeatureType.Name
    return {
        feature.name: SCHEMA_TYPES[named(feature.type)]
        for feature in schema.feature
        if named(feature.type) in SCHEMA_TYPES
    }


def arrow(kind: str) -> str:
    """A DuckDB type's Arrow type; empty where examples cannot hold it."""
    if kind.endswith("]"):
        return ""
    return ARROW_TYPES.get(kind.partition("(")[0], "double" if kind.startswith("DECIMAL") else "")


def parsed(column: str, reading: Reading, kind: str) -> tuple[str, str]:
    """SQL of a column's value as it is stored, and of whether the value is lost by that; empty where it cannot be."""
    value, given = reading.values.get(column, _name(column)), reading.types[column]
    if arrow(given) == kind:
        return f"{value}::{STORED[kind]}", ""
    cast = f"TRY_CAST({value} AS {STORED[kind]})"
    if kind == "string":
        return cast, ""
    if given != "VARCHAR":
        return cast, f"({value} IS NOT NULL AND TRY_CAST({cast} AS {given}) IS DISTINCT FROM {value})"
    lost = f"{cast} IS NULL"
    if kind == "int64":  # DuckDB rounds the text of a fraction.
        lost += f" OR contains({value}, '.') OR contains({value}, 'e') OR contains({value}, 'E')"
    return cast, f"({value} IS NOT NULL AND ({lost}))"
