"""JSON: lines of objects, and files of one array of them. Each row is parsed a fixed number of times, however wide it is.

A line that is no JSON object, or has a key that none of the lines looked at has, or one key twice, is put aside.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.examples.formats import FILE, Part, Reading, explaining
from sluice.examples.inference import sample_rows
from sluice.examples.names import check as check_names
from sluice.examples.sql import name as _name
from sluice.examples.sql import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source

LINES = (
    "delim='\x01', quote='', escape='', header=false, auto_detect=false, columns={'line': 'VARCHAR'}, comment='', "
    f"filename={quote(FILE)}"
)


class JsonLines:
    """One object a line."""

    suffixes = (".jsonl", ".ndjson", ".jsonlines")

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """One part: the columns are the keys of all files' first rows."""
        del source

        def lines(uris: list[str], rejects: str) -> str:
            return f"read_csv([{', '.join(map(quote, uris))}], {LINES}, {rejects})"

        whole = lines(files.uris, "store_rejects=true, rejects_limit=0")
        return _read(database, files, whole, lambda uri: lines([uri], "ignore_errors=true"), rejects=True)


class Json:
    """An array of objects; or objects one after the other, as Spark and BigQuery give them the same suffix."""

    suffixes = (".json",)

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """One part: the columns are the keys of all files' first rows."""
        del source

        def rows(uris: list[str]) -> str:
            listed = f"[{', '.join(map(quote, uris))}]"
            return f"(SELECT json::VARCHAR AS line, {FILE} FROM read_json_objects({listed}, format='auto', filename=true) t(json, {FILE}))"  # noqa: S608

        filled = [uri for uri in files.uris if files.size(uri) != 0] or files.uris
        return _read(database, files, rows(filled), lambda uri: rows([uri]), rejects=False)


def _read(
    database: duckdb.DuckDBPyConnection, files: Files, whole: str, only: Callable[[str], str], *, rejects: bool
) -> Reading:
    rows = sample_rows(1, len(files.uris))
    keys: dict[str, None] = {}
    for uri in files.uris:
        with explaining(
            files.failures, uri, "write the file anew; source.format says what it is where its name does not"
        ):
            keys |= dict.fromkeys(_keys(database, f"(FROM {only(uri)} LIMIT {rows})"))
    if not keys:
        raise SluiceError(
            "the lines hold no JSON objects", where=files.uris[0], remedy='write {"column": value, ...} a line'
        )
    check_names(keys, files.uris[0])
    names = list(keys)
    looked = min(rows, sample_rows(len(names), len(files.uris)))
    return Reading(
        [Part(
            _parsed(whole, names, "VARCHAR"), dict.fromkeys(names, "VARCHAR"),
            values={column: f"row.{_name(column)}" for column in names},
            samples=[_parsed(f"(FROM {only(uri)} LIMIT {looked})", names, "JSON") for uri in files.uris],
            looks={column: f"row.{_name(column)}::VARCHAR" for column in names}, files=files.uris, only=only,
        )],
        "json", FILE, malformed=_malformed(names), raw="coalesce(line, '')", rejects=rejects,
    )  # fmt: skip


def _keys(database: duckdb.DuckDBPyConnection, sample: str) -> list[str]:
    """The keys of its rows, in the order in which they come first."""
    found = database.execute(
        f"SELECT key FROM (SELECT unnest(keys) AS key, generate_subscripts(keys, 1) AS number, place FROM "  # noqa: S608
        f"(SELECT json_keys({_GOOD}) AS keys, row_number() OVER () AS place FROM {sample})) "
        "GROUP BY key ORDER BY min((place, number))"
    ).fetchall()
    return [str(key) for (key,) in found]


_GOOD = "CASE WHEN json_valid(line) AND json_type(line) = 'OBJECT' THEN line END"


def _parsed(table: str, names: list[str], kind: str) -> str:
    """The lines with what they hold: ``row``, a struct of the columns as text or JSON, and their ``keys``."""
    structure = quote(json.dumps(dict.fromkeys(names, kind)))
    return (
        f"(SELECT line, {FILE}, keys, from_json(good, {structure}) AS row FROM "  # noqa: S608
        f"(SELECT line, {FILE}, good, json_keys(good) AS keys FROM (SELECT line, {FILE}, {_GOOD} AS good FROM {table})))"
    )


def _malformed(names: list[str]) -> str:
    """SQL of the cause; in most rows the keys are the columns, in order."""
    known = f"[{', '.join(map(quote, names))}]"
    return (
        f"CASE WHEN keys = {known} THEN NULL WHEN line IS NULL OR NOT json_valid(line) THEN 'not JSON' "
        f"WHEN keys IS NULL THEN 'not an object' "
        f"WHEN NOT list_has_all({known}, keys) THEN 'a key that the first lines do not have' "
        "WHEN len(list_distinct(keys)) <> len(keys) THEN 'a key is there twice' END"
    )
