"""The columns that a source's use case reads: which, under which names, and which of them out of a nested one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.examples.formats import types_of
from sluice.examples.names import check as check_names
from sluice.examples.sql import name as _name
from sluice.examples.sql import quote

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.formats import Part, Reading
    from sluice.examples.source import Source


def select(database: duckdb.DuckDBPyConnection, source: Source, reading: Reading) -> Reading:
    """The reading with the columns that `source.columns` names, in the order of the source; all where it names none.

    Raises:
        SluiceError: one is in none of the files.
    """
    wanted = source.named_columns
    if not wanted:
        return reading
    check_names(wanted, "source.columns")
    places = {column: place for place, column in enumerate(reading.columns)}
    paths = {name: _path(path, places) for name, path in wanted.items()}
    if absent := [name for name, path in paths.items() if path[0] not in places]:
        raise SluiceError(f"{wanted[absent[0]]!r} is not a column of the source", where="source.columns",
                          remedy=f"columns: {', '.join(places)}")  # fmt: skip
    paths = dict(sorted(paths.items(), key=lambda item: (places[item[1][0]], item[0])))
    return replace(reading, parts=[_of(database, reading, part, paths) for part in reading.parts])


def _path(path: str, columns: dict[str, int]) -> list[str]:
    """A column, and the fields within it; a column whose own name holds dots is that column."""
    return [path] if path in columns else path.split(".")


def _of(database: duckdb.DuckDBPyConnection, reading: Reading, part: Part, paths: dict[str, list[str]]) -> Part:
    types, values, looks = {}, {}, {}
    for name, (column, *fields) in paths.items():
        if column not in part.types:
            continue
        value, look = part.values.get(column, _name(column)), part.looks.get(column, _name(column))
        if reading.infer == "json" and fields:
            path = quote("$" + "".join('."' + field.replace('"', '\\"') + '"' for field in fields))
            types[name], values[name], looks[name] = (
                "VARCHAR",
                f"({value} ->> {path})",
                f"json_extract({look}, {path})::VARCHAR",
            )
        else:
            inside = "".join(f"[{quote(field)}]" for field in fields)
            types[name] = _type(database, part, value + inside, column, fields) if fields else part.types[column]
            values[name], looks[name] = value + inside, look + inside
    return replace(part, types=types, values=values, looks=looks)


def _type(database: duckdb.DuckDBPyConnection, part: Part, value: str, column: str, fields: list[str]) -> str:
    import duckdb

    declared = f"(SELECT NULL::{part.types[column]} AS {_name(column)})"
    try:
        return types_of(database.sql(f"SELECT {value} AS found FROM {declared}"))["found"]  # noqa: S608
    except duckdb.Error as error:
        raise SluiceError(f"{'.'.join([column, *fields])!r} is not in {column!r} ({part.types[column]})", where="source.columns",
                          remedy="name a field of it") from error  # fmt: skip
