"""Kinds: what each column is stored as, as told or as found, over all the files of a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.examples import inference
from sluice.examples.conversion import CAN_BE, KINDS, family
from sluice.examples.formats import culprit, explaining
from sluice.examples.sql import name as _name

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from sluice.examples.formats import Reading
    from sluice.examples.source import Source

SCHEMA_TYPES = {"INT": "int64", "FLOAT": "double", "BYTES": "string"}
TEXTUAL = {"bool", "timestamp[us]"}
"""Kinds that TensorFlow Metadata has no type for: a schema knows such columns as bytes."""


@dataclass(frozen=True)
class Columns:
    """A table's columns.

    Attributes:
        kinds: column name to the Arrow type it is stored as.
        inferred: those whose type is a proposal, found in the text of the first rows.
        left_out: column to its type, of those whose type examples do not hold and nobody named.
        warnings: sentences for a person.
        without_zone: the columns of times that do not say their zone.
    """

    kinds: dict[str, str]
    inferred: list[str]
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    without_zone: list[str] = field(default_factory=list)


def columns(
    database: duckdb.DuckDBPyConnection, source: Source, reading: Reading, schema: str = "", named: Iterable[str] = ()
) -> Columns:
    """What each column is stored as: as `source.types` tells, as the schema tells, or as found.

    Args:
        database: reads the samples.
        source: the source.
        reading: its parts, with the types found.
        schema: text of a ``schema.pbtxt``; it decides for columns whose type was found in text.
        named: the columns that the use case names: one of a type that examples do not hold is refused, not left out.

    Raises:
        SluiceError: a type is given for a column that is not there or cannot be of it, a column that is named has no place
            in examples, or the files do not agree.
    """
    if unknown := [column for column in source.types if column not in reading.columns]:
        raise SluiceError(f"{unknown[0]!r} is not a column of the source", where="source.types",
                          remedy=f"columns: {', '.join(reading.columns)}")  # fmt: skip
    with explaining(
        reading.failures,
        source.uri,
        "see source.format and source.types",
        lambda: culprit(database, reading, source.uri),
    ):
        found = _Found(database, source, reading)
    schema_kinds = of_schema(schema) if schema else {}
    kinds, inferred, left_out = {}, [], {}
    named = {*named, *source.named_columns}
    for column in reading.columns:
        kind = source.types.get(column, "") or found.kind(column)
        if column in found.texts and column not in source.types:
            by_schema = _by_schema(schema_kinds.get(column, ""), kind)
            kind = by_schema or kind
            inferred += [column] if kind and not by_schema else []
        if kind:
            found.hold(column, kind)
            kinds[column] = kind
        elif column in named:
            raise SluiceError(f"column {column!r} has a type that examples cannot hold ({found.type_of(column)})", where=source.uri,
                              remedy=f"name a field of it in source.columns, or take it as JSON text: source.types: {{{column}: string}}")  # fmt: skip
        else:
            left_out[column] = found.type_of(column)
    if not kinds:
        raise SluiceError("no column has a type that examples hold", where=source.uri,
                          remedy=f"name fields in source.columns; columns: {', '.join(left_out)}")  # fmt: skip
    warnings = [f"column {column!r} is left out: examples hold no {given}" for column, given in left_out.items()]
    return Columns(kinds, inferred, left_out, warnings + found.missing(kinds), found.without_zone(kinds))


class _Found:
    """What the parts say of each column, and what their samples show."""

    def __init__(self, database: duckdb.DuckDBPyConnection, source: Source, reading: Reading) -> None:
        self._source, self._reading = source, reading
        self._bits: dict[str, int] = {}
        self._long: set[str] = set()
        json = reading.infer == "json"
        for part in reading.parts:
            looks = {column: part.looks.get(column, _name(column)) for column in part.types}
            if reading.infer:
                seen = inference.classes(database, part.samples, looks, source.notation, json=json)
                self._bits = {
                    column: self._bits.get(column, 0) | seen.get(column, 0) for column in {**self._bits, **seen}
                }
            else:
                long = {column: looks[column] for column, given in part.types.items() if family(given) == "long"}
                self._long |= inference.too_long(database, part.samples, long)

    @property
    def texts(self) -> set[str]:
        """The columns whose kind is inferred from text."""
        return set(self._bits)

    def type_of(self, column: str) -> str:
        """Its type, for a person."""
        given = [part.types[column] for part in self._reading.parts if column in part.types]
        return "nested JSON" if column in self._bits else given[0]

    def kind(self, column: str) -> str:
        """What it seems to be; empty where examples hold no such thing."""
        if column in self._bits:
            return inference.proposed(self._bits[column])
        kinds: dict[str, list[str]] = {}
        for part in self._reading.parts:
            of = family(part.types[column]) if column in part.types else "null"
            if of == "nested":
                return ""
            if of != "null":
                own = "string" if column in self._long and of in ("int", "long") else KINDS[of]
                kinds.setdefault(own, [*part.files[:1], self._source.uri])
        if kinds.keys() == {"int64", "double"}:
            return "double"
        if len(kinds) > 1:
            (one, (here, *_)), (two, (there, *_)) = list(kinds.items())[:2]
            raise SluiceError(f"column {column!r} is {one} in {here}, and {two} in {there}", where=self._source.uri,
                              remedy=f"say what it is, e.g. source.types: {{{column}: string}}, or write it in one way")  # fmt: skip
        return next(iter(kinds), "string")

    def hold(self, column: str, kind: str) -> None:
        """Refuse a kind that its values cannot be of."""
        for part in self._reading.parts:
            given = part.types.get(column, "NULL")
            if family(given) != "null" and family(given) not in CAN_BE[kind]:
                raise SluiceError(f"column {column!r} cannot be {kind}: it is {given}", where=f"source.types.{column}",
                                  remedy="name another type, or convert it with source.query")  # fmt: skip

    def missing(self, kinds: dict[str, str]) -> list[str]:
        """Say which columns are not in every file.

        Raises:
            SluiceError: the source does not allow it.
        """
        said = []
        for column in kinds:
            without = [file for part in self._reading.parts if column not in part.types for file in part.files]
            if not without:
                continue
            with_it = next(file for part in self._reading.parts if column in part.types for file in part.files)
            what = f"column {column!r} is in {with_it}, and not in {without[0]}" + (
                f" and {len(without) - 1} more" if len(without) > 1 else ""
            )
            if self._source.missing_columns == "refuse":
                raise SluiceError(
                    what,
                    where=self._source.uri,
                    remedy="write it in every file, or allow it: source.missing_columns: keep",
                )
            said.append(f"{what}: its values are missing there")
        return said

    def without_zone(self, kinds: dict[str, str]) -> list[str]:
        """The columns with times that do not say their zone; dates are none."""
        local = inference.LOCAL
        typed = {
            column for part in self._reading.parts for column, given in part.types.items() if family(given) == "local"
        }
        return [
            column
            for column, kind in kinds.items()
            if kind == "timestamp[us]" and (column in typed or self._bits.get(column, 0) & local)
        ]


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
