"""Ingest: read a table with DuckDB, split its rows by a stable hash, write Parquet and a manifest.

DuckDB streams: memory is bounded whatever the size of the input. The output is written beside its final name and
renamed when whole, so that a killed ingest leaves nothing that a later step could take for data.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice import digest, storage
from sluice.errors import SluiceError
from sluice.examples import spans
from sluice.examples.manifest import Manifest, SourceFile, SplitFacts
from sluice.examples.split import HASH_VERSION
from sluice.progress import progress

if TYPE_CHECKING:
    import duckdb

    from sluice.examples.source import Source
    from sluice.examples.split import Split

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
ARROW_TYPES = {
    "TINYINT": "int64", "SMALLINT": "int64", "INTEGER": "int64", "BIGINT": "int64", "UTINYINT": "int64",
    "USMALLINT": "int64", "UINTEGER": "int64", "HUGEINT": "double", "FLOAT": "double", "DOUBLE": "double",
    "BOOLEAN": "bool", "VARCHAR": "string", "DATE": "timestamp[us]", "TIMESTAMP": "timestamp[us]",
}  # fmt: skip
STORED = {"int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "string": "VARCHAR", "timestamp[us]": "TIMESTAMP"}


def ingest(source: Source, split: Split, span: str, out: Path, label: str | None = None) -> Manifest:
    """Read a span of the source and write an examples artifact.

    Args:
        source: where the data is.
        split: how rows are divided.
        span: the span in explicit form, ``""`` where the source has none.
        out: the artifact's folder; replaced as a whole.
        label: a column that must be there.

    Returns:
        The manifest, as written.

    Raises:
        SluiceError: nothing to read, a column that is not there, a column type that has no place in examples, or a
            split that got no rows.
    """
    import duckdb

    uris = spans.uris(source, span)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with duckdb.connect() as database:
        columns = _open(database, source, uris)
        _require(columns, split, label, source.uri)
        progress(f"reading {', '.join(uris)}")
        splits = {name: _write(database, split, name, columns, partial) for name in split.ratios}
        manifest = Manifest(
            sources=[_facts(uri) for uri in uris], columns=columns, splits=splits,
            split={**split.model_dump(mode="json"), "hash": "md5/60", "hash_version": HASH_VERSION},
            spans=[str(number) for number in range(spans.parse(span)[0], spans.parse(span)[1] + 1)] if span else [],
            rows_in=sum(facts.rows for facts in splits.values()), **_content(database, columns, split),
        )  # fmt: skip
    manifest.save(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return manifest


def _open(database: duckdb.DuckDBPyConnection, source: Source, uris: list[str]) -> dict[str, str]:
    """Make the view ``source`` over the files; returns column name to the Arrow type it is stored as."""
    import duckdb

    if missing := [uri for uri in uris if storage.is_local(uri) and not list(_matches(uri))]:
        raise SluiceError(
            "no such file",
            where=missing[0],
            remedy="check source.uri in sluice.yaml; a relative path starts at its folder",
        )
    suffix = Path(uris[0].removesuffix(".gz").removesuffix(".zst")).suffix.lower()
    name = SUFFIXES.get(suffix) if source.format == "auto" else source.format
    if name is None:
        raise SluiceError(f"cannot tell the format of {suffix or 'a name without a suffix'}", where=uris[0],
                          remedy=f"set source.format to one of {', '.join(READERS)}")  # fmt: skip
    listed = ", ".join(_quote(uri) for uri in uris)
    try:
        relation = database.sql(f"SELECT * FROM {READERS[name]}([{listed}])")  # noqa: S608
    except duckdb.Error as error:
        raise SluiceError(
            str(error).splitlines()[0], where=uris[0], remedy=f"it should be {name}; see source.format"
        ) from error
    kinds = {column: ARROW_TYPES.get(str(kind).partition("(")[0], "double" if str(kind).startswith("DECIMAL") else "")
             for column, kind in zip(relation.columns, relation.types, strict=True)}  # fmt: skip
    if bad := [column for column, kind in kinds.items() if not kind]:
        raise SluiceError(f"column {bad[0]!r} has a type that examples cannot hold ({relation.types[relation.columns.index(bad[0])]})",
                          where=uris[0], remedy="give numbers, text, booleans or times, or leave the column out")  # fmt: skip
    casts = ", ".join(f"{_name(column)}::{STORED[kind]} AS {_name(column)}" for column, kind in kinds.items())
    relation.create_view("raw")
    database.execute(f"CREATE VIEW source AS SELECT {casts} FROM raw")  # noqa: S608
    return kinds


def _require(columns: dict[str, str], split: Split, label: str | None, uri: str) -> None:
    for what, wanted in (("label", [label] if label else []), ("split key", split.keys)):
        if absent := [column for column in wanted if column not in columns]:
            raise SluiceError(f"the {what} {absent[0]!r} is not a column of the source", where=uri,
                              remedy=f"columns: {', '.join(columns)}")  # fmt: skip


def _point(columns: dict[str, str], split: Split) -> str:
    """SQL for a row's point in [0, 1): see `sluice.examples.split`."""
    keys = split.keys or list(columns)
    text = ", ".join(f"coalesce({_name(column)}::VARCHAR, chr(0))" for column in keys)
    return f"(('0x' || left(md5(concat_ws(chr(31), {text})), 15))::BIGINT::DOUBLE / {float(1 << 60)!r})"


def _write(
    database: duckdb.DuckDBPyConnection, split: Split, name: str, columns: dict[str, str], out: Path
) -> SplitFacts:
    bounds = split.bounds()
    names = list(bounds)
    low = bounds[names[names.index(name) - 1]] if names.index(name) else 0.0
    high = bounds[name] if name != names[-1] else 2.0
    file = out / name / "part-00000.parquet"
    file.parent.mkdir()
    point = _point(columns, split)
    rows = database.execute(
        f"COPY (SELECT * FROM source WHERE {point} >= {low!r} AND {point} < {high!r}) "  # noqa: S608
        f"TO {_quote(str(file))} (FORMAT parquet, COMPRESSION zstd)"
    ).fetchall()[0][0]
    if rows == 0:
        raise SluiceError(f"the split {name!r} got no rows", where="split",
                          remedy="give more data, a larger weight, or other keys")  # fmt: skip
    progress(f"{name}: {rows:,} rows")
    return SplitFacts(rows=rows, bytes=file.stat().st_size, files=1)


def _content(database: duckdb.DuckDBPyConnection, columns: dict[str, str], split: Split) -> dict[str, Any]:
    """Digest of the content, duplicates, and rows that splits share.

    The digest is of the sum of the rows' hashes (order does not count, repeated rows do), the columns and the split.
    """
    text = ", ".join(f"coalesce({_name(column)}::VARCHAR, chr(0))" for column in columns)
    bounds = list(split.bounds().values())[:-1]
    place = " + ".join([f"(p >= {bound!r})::INT" for bound in bounds] or ["0"])
    rows, total, distinct, places = database.execute(
        f"WITH hashed AS (SELECT ('0x' || left(md5(concat_ws(chr(31), {text})), 15))::BIGINT AS h, {_point(columns, split)} AS p FROM source) "  # noqa: S608
        f"SELECT count(*), sum(h::HUGEINT)::VARCHAR, count(DISTINCT h), count(DISTINCT (h, {place})) FROM hashed"
    ).fetchall()[0]
    named = digest.of_json([columns, split.model_dump(mode="json"), HASH_VERSION, rows, total])
    return {"digest": named, "duplicates": rows - distinct, "shared": places - distinct}


def _facts(uri: str) -> SourceFile:
    if not storage.is_local(uri):
        return SourceFile(uri=uri)
    stats = [path.stat() for path in _matches(uri)]
    newest = datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC).isoformat()
    return SourceFile(uri=uri, size=sum(stat.st_size for stat in stats), etag=newest)


def _matches(uri: str) -> Any:
    path = storage.local_path(uri)
    return [path] if path.is_file() else sorted(Path(path.anchor or ".").glob(str(path).removeprefix(path.anchor)))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
