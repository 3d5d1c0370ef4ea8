"""Text, a row a line: CSV in its dialects, and JSON lines. What does not parse is put aside with its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.examples.formats import Reading, types_of
from sluice.examples.sql import quote

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Source

WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
FILE = "__file"
SAMPLE = 20_480
PROPOSED = {"UBIGINT": "BIGINT", "NULL": "VARCHAR", "JSON": "VARCHAR"}


def csv(database: duckdb.DuckDBPyConnection, source: Source, files: Files, kind: str) -> Reading:
    """CSV: whole numbers come as text, because DuckDB would round ``1.5`` to one and lose it."""
    del kind
    dialect = source.csv
    if not dialect.header and not dialect.names:
        raise SluiceError("a CSV file without a header needs names", where="source.csv.names",
                          remedy="list the columns' names, in order")  # fmt: skip
    options = [
        f"header={str(dialect.header).lower()}", f"quote={quote(dialect.quote)}", f"escape={quote(dialect.quote)}",
        f"encoding={quote(dialect.encoding)}", "store_rejects=true", "rejects_limit=0", f"filename={quote(FILE)}",
        f"nullstr=[{', '.join(map(quote, dict.fromkeys(['', dialect.null])))}]",
    ]  # fmt: skip
    delimiter = "\t" if dialect.delimiter == "auto" and ".tsv" in files.uris[0].lower() else dialect.delimiter
    if delimiter != "auto":
        options.append(f"delim={quote(delimiter)}")
    if dialect.names:
        options.append(f"names=[{', '.join(map(quote, dialect.names))}]")
    listed = ", ".join(map(quote, files.uris))
    proposed = types_of(database.sql(f"FROM read_csv([{listed}], {', '.join(options)})"))
    del proposed[FILE]
    as_text = {column for column, kind in proposed.items() if kind in WHOLE} | (source.types.keys() & proposed.keys())
    types = proposed | dict.fromkeys(as_text, "VARCHAR")
    if as_text:
        options.append(f"types={{{', '.join(f'{quote(column)}: {quote(types[column])}' for column in types)}}}")
    table = f"read_csv([{listed}], {', '.join(options)})"
    return Reading(table, types, proposed, file=FILE, first_line=1 + dialect.header, rejects=True)


def jsonl(database: duckdb.DuckDBPyConnection, source: Source, files: Files, kind: str) -> Reading:
    """JSON lines: one object a line; the names and types are those that the first lines seem to have."""
    del source, kind
    listed = ", ".join(map(quote, files.uris))
    table = (
        f"read_csv([{listed}], columns={{'line': 'VARCHAR'}}, auto_detect=false, header=false, delim='\x01', "
        f"quote='', escape='', filename={quote(FILE)})"
    )
    bad = "CASE WHEN line IS NULL OR NOT json_valid(line) THEN 'not JSON' WHEN json_type(line) <> 'OBJECT' THEN 'not an object' END"
    guarded = f"CASE WHEN {bad} IS NULL THEN line END"
    sample = f"(SELECT {guarded} AS line FROM {table} LIMIT {SAMPLE})"  # noqa: S608
    shape: Any = database.execute(
        f"SELECT json_group_structure(line::JSON) FROM {sample} WHERE line IS NOT NULL"  # noqa: S608
    ).fetchall()[  # noqa: RUF100, S608
        0
    ][0]
    if not shape or shape == '"NULL"':
        raise SluiceError(
            "the lines hold no JSON objects", where=files.uris[0], remedy='write {"column": value, ...} a line'
        )
    proposed = {column: PROPOSED.get(str(kind), str(kind)) for column, kind in json.loads(shape).items()}
    # A path of JSON, whose own quotes are escaped.
    paths = {column: quote('$."' + column.replace('"', '\\"') + '"') for column in proposed}
    values = {column: f"({guarded} ->> {path})" for column, path in paths.items()}
    if texts := [column for column, kind in proposed.items() if kind == "VARCHAR"]:
        times = ", ".join(
            f"bool_and(TRY_CAST(line ->> {paths[column]} AS TIMESTAMP) IS NOT NULL) "
            f"FILTER (line ->> {paths[column]} IS NOT NULL)"
            for column in texts
        )
        found = database.execute(f"SELECT {times} FROM {sample}").fetchall()[0]  # noqa: S608
        proposed |= {column: "TIMESTAMP" for column, is_time in zip(texts, found, strict=True) if is_time}
    known = ", ".join(map(quote, proposed))
    malformed = f"coalesce({bad}, CASE WHEN NOT list_has_all([{known}], json_keys({guarded})) THEN 'a key that the first lines do not have' END)"
    types = dict.fromkeys(proposed, "VARCHAR")
    return Reading(table, types, proposed, values, FILE, malformed=malformed, raw="coalesce(line, '')")
