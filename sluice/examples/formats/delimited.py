"""CSV in its dialects: every value comes as text. What does not fit the header's columns is put aside with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError, first_line
from sluice.examples.formats import FILE, Part, Reading, suffix
from sluice.examples.inference import sample_rows
from sluice.examples.names import check as check_names
from sluice.examples.sql import quote

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.formats.filesystem import Files
    from sluice.examples.source import Dialect, Source


class Csv:
    """Comma-separated values, and what looks like them."""

    suffixes = (".csv", ".tsv", ".tab", ".psv")

    def open(self, database: duckdb.DuckDBPyConnection, source: Source, files: Files) -> Reading:
        """A part for each header and delimiter among the files."""
        dialect = source.csv
        if not dialect.header and not dialect.names:
            raise SluiceError("a CSV file without a header needs names", where="source.csv.names",
                              remedy="list the columns' names, in order")  # fmt: skip
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        filled = [uri for uri in files.uris if files.size(uri) != 0]
        for uri in filled:
            groups.setdefault(_shape(database, dialect, files, uri), []).append(uri)
        if not groups:
            raise SluiceError(
                "no rows were read: every file is empty", where=files.uris[0], remedy="give a source that holds some"
            )
        parts = [
            _part(dialect, delimiter, list(names), uris, len(filled)) for (delimiter, names), uris in groups.items()
        ]
        return Reading(parts, "csv", FILE, first_line=1 + dialect.skip + dialect.header, rejects=True)


def _part(dialect: Dialect, delimiter: str, names: list[str], uris: list[str], files: int) -> Part:
    def table(uris: list[str], rejects: str) -> str:
        columns = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in names)
        options = [
            *_options(dialect), f"delim={quote(delimiter)}", f"header={str(dialect.header).lower()}", f"columns={{{columns}}}",
            f"filename={quote(FILE)}", rejects,
        ]  # fmt: skip
        return f"read_csv([{', '.join(map(quote, uris))}], {', '.join(options)})"

    rows = sample_rows(len(names), files)
    return Part(
        table(uris, "store_rejects=true, rejects_limit=0"), dict.fromkeys(names, "VARCHAR"), files=uris,
        only=lambda uri: table([uri], "ignore_errors=true"),
        samples=[f"(FROM {table([uri], 'ignore_errors=true')} LIMIT {rows})" for uri in uris],
    )  # fmt: skip


def _shape(
    database: duckdb.DuckDBPyConnection, dialect: Dialect, files: Files, uri: str
) -> tuple[str, tuple[str, ...]]:
    """A file's delimiter, and the names of its columns as they stand in it."""
    import duckdb

    given = ["all_varchar=true", "ignore_errors=true", *_options(dialect)]
    delimiter = "\t" if dialect.delimiter == "auto" and suffix(uri) in (".tsv", ".tab") else dialect.delimiter
    if delimiter != "auto":
        given.append(f"delim={quote(delimiter)}")
    try:
        sniffed = f"SELECT Delimiter, len(Columns) FROM sniff_csv({quote(uri)}, header=false, {', '.join(given)})"  # noqa: S608
        found, width = database.execute(sniffed).fetchall()[0]
        delimiter = found if delimiter == "auto" else delimiter
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(width))
        options = f"header=false, delim={quote(delimiter)}, columns={{{columns}}}, ignore_errors=true, {', '.join(_options(dialect))}"
        first: Any = database.execute(f"FROM read_csv({quote(uri)}, {options}) LIMIT 1").fetchall()
    except (duckdb.Error, OSError) as error:
        raise (
            files.failures[0]
            if files.failures
            else SluiceError(f"not CSV: {first_line(error)}", where=uri, remedy="see source.csv and source.format")
        ) from error
    names = dialect.names or [_unnamed(name, number) for number, name in enumerate(first[0] if first else ())]
    if len(names) != width:
        raise SluiceError(
            f"{width} columns, and {len(names)} names", where=uri, remedy="list every column in source.csv.names"
        )
    check_names(names, uri)
    return delimiter, tuple(names)


def _unnamed(name: str | None, number: int) -> str:
    """A column without a name, as R and pandas write their row names, is named by its place."""
    return f"column{number}" if name is None else name


def _options(dialect: Dialect) -> list[str]:
    """Nothing is guessed but the delimiter: a guessed comment sign or a guessed start would drop lines."""
    missing = dict.fromkeys(["", *dialect.missing])
    return [
        f"quote={quote(dialect.quote)}", f"escape={quote(dialect.escape or dialect.quote)}", f"encoding={quote(dialect.encoding)}",
        f"skip={dialect.skip}", f"comment={quote(dialect.comment)}", f"nullstr=[{', '.join(map(quote, missing))}]",
    ]  # fmt: skip
