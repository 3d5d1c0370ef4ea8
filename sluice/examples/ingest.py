"""Ingest: one pass over a table, its rows split by a stable hash, as Parquet and a manifest.

DuckDB streams the source once into a staging file, with each row's hash, that of its split keys and the cause where it
does not parse; splits, digest and quarantine are made from that file. Memory is bounded whatever the size of the
input. The output is written beside its final name and renamed when whole, so that a killed ingest leaves nothing that a
later step could take for data.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sluice import digest, storage
from sluice.errors import SluiceError
from sluice.examples import quarantine, spans
from sluice.examples.formats import matches, open_source
from sluice.examples.manifest import Manifest, SourceFile, SplitFacts
from sluice.examples.split import HASH_VERSION
from sluice.examples.sql import name as _name
from sluice.examples.sql import quote as _quote
from sluice.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

    from sluice.examples.formats import Reading
    from sluice.examples.source import Source
    from sluice.examples.split import Split

MEMORY = "512MB"  # DuckDB's share; past it the digest's groups go to disk
ARROW_TYPES = {
    "TINYINT": "int64", "SMALLINT": "int64", "INTEGER": "int64", "BIGINT": "int64", "UTINYINT": "int64",
    "USMALLINT": "int64", "UINTEGER": "int64", "HUGEINT": "double", "FLOAT": "double", "DOUBLE": "double",
    "BOOLEAN": "bool", "VARCHAR": "string", "DATE": "timestamp[us]", "TIMESTAMP": "timestamp[us]",
    "TIMESTAMP_S": "timestamp[us]", "TIMESTAMP_MS": "timestamp[us]", "TIMESTAMP_NS": "timestamp[us]",
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
        SluiceError: nothing to read, a column that is not there, a column type that has no place in examples, more
            malformed rows than the source's limits allow, or a split that got no rows.
    """
    import duckdb

    uris = spans.uris(source, span)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(partial / "spill")}) as database:
        reading = open_source(database, source, uris)
        columns = _kinds(source, reading)
        _require(columns, split, label, source.uri)
        progress(f"reading {', '.join(uris)}")
        staged = partial / "staging.parquet"
        _stage(database, reading, columns, split, staged, source.uri)
        found = quarantine.collect(database, reading, _quote(str(staged)))
        database.execute(
            f"CREATE VIEW source AS SELECT *, {'__keys' if split.keys else '__hash'}::DOUBLE / {float(1 << 60)!r} AS __point "  # noqa: S608
            f"FROM read_parquet({_quote(str(staged))}) WHERE __cause IS NULL"
        )
        content = _content(database, columns, split)
        rows_in = content.pop("rows") + len(found)
        quarantine.hold(found, rows_in, source.quarantine, source.uri)
        splits = {name: _write(database, split, name, columns, partial) for name in split.ratios}
        manifest = Manifest(
            sources=[_facts(uri) for uri in uris], columns=columns, splits=splits,
            inferred=[column for column in columns if column not in source.types and reading.proposed],
            split={**split.model_dump(mode="json"), "hash": "md5/60", "hash_version": HASH_VERSION},
            spans=[str(number) for number in range(spans.parse(span)[0], spans.parse(span)[1] + 1)] if span else [],
            rows_in=rows_in, quarantined=len(found), **content,
        )  # fmt: skip
    staged.unlink()
    shutil.rmtree(partial / "spill", ignore_errors=True)
    quarantine.write(found, partial)
    manifest.save(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return manifest


def _kinds(source: Source, reading: Reading) -> dict[str, str]:
    """Column name to the Arrow type it is stored as: as told, or as found."""
    if unknown := [column for column in source.types if column not in reading.types]:
        raise SluiceError(f"{unknown[0]!r} is not a column of the source", where="source.types",
                          remedy=f"columns: {', '.join(reading.types)}")  # fmt: skip
    found = {**reading.types, **reading.proposed}
    kinds = {column: source.types.get(column) or _kind(kind) for column, kind in found.items()}
    if bad := [column for column, kind in kinds.items() if not kind]:
        raise SluiceError(f"column {bad[0]!r} has a type that examples cannot hold ({found[bad[0]]})", where=source.uri,
                          remedy="give numbers, text, booleans or times, or leave the column out")  # fmt: skip
    return kinds


def _kind(kind: str) -> str:
    if kind.endswith("]"):
        return ""
    return ARROW_TYPES.get(kind.partition("(")[0], "double" if kind.startswith("DECIMAL") else "")


def _stage(
    database: duckdb.DuckDBPyConnection, reading: Reading, columns: dict[str, str], split: Split, staged: Path, uri: str
) -> None:
    """The one pass over the source: its rows as they are stored, hashed, and the cause where one does not parse."""
    import duckdb

    values, causes = [], []
    for column, kind in columns.items():
        value = reading.values.get(column, _name(column))
        parsed, bad = _parsed(value, reading.types[column], kind)
        values.append(f"{parsed} AS {_name(column)}")
        if bad:
            causes.append(f"CASE WHEN {bad} THEN {_quote(f'column {column!r} is not {kind}')} END")
    whole = [reading.malformed] if reading.malformed else []
    cause = f"coalesce({', '.join([*whole, *causes])}, NULL)" if whole or causes else "NULL::VARCHAR"
    raw = reading.raw or "json_object({})".format(
        ", ".join(f"{_quote(column)}, {reading.values.get(column, _name(column))}" for column in columns)
    )
    text = f"CASE WHEN {cause} IS NOT NULL THEN {raw} END" if whole or causes else "NULL"
    added = f"{_hash(columns)} AS __hash" + (f", {_hash(split.keys)} AS __keys" if split.keys else "")
    inner = (
        f"SELECT {', '.join(values)}, {cause} AS __cause, {text}::VARCHAR AS __text, "  # noqa: S608
        f"{reading.file or _quote('')} AS __file FROM {reading.table}"
    )
    try:
        database.execute(
            f"COPY (SELECT *, {added} FROM ({inner})) "  # noqa: S608
            f"TO {_quote(str(staged))} (FORMAT parquet, COMPRESSION lz4)"
        )
    except duckdb.Error as error:
        raise SluiceError(str(error).splitlines()[0], where=uri, remedy="see source.format and source.types") from error


def _parsed(value: str, given: str, kind: str) -> tuple[str, str]:
    """SQL of a value as it is stored, and of whether it is lost by that; empty where it cannot be."""
    if _kind(given) == kind:
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


def _require(columns: dict[str, str], split: Split, label: str | None, uri: str) -> None:
    for what, wanted in (("label", [label] if label else []), ("split key", split.keys)):
        if absent := [column for column in wanted if column not in columns]:
            raise SluiceError(f"the {what} {absent[0]!r} is not a column of the source", where=uri,
                              remedy=f"columns: {', '.join(columns)}")  # fmt: skip


def _hash(columns: Iterable[str]) -> str:
    """SQL of the hash of these columns' values, of 60 bits: see `sluice.examples.split`."""
    text = ", ".join(f"coalesce({_name(column)}::VARCHAR, chr(0))" for column in columns)
    return f"('0x' || left(md5(concat_ws(chr(31), {text})), 15))::BIGINT"


def _write(
    database: duckdb.DuckDBPyConnection, split: Split, name: str, columns: dict[str, str], out: Path
) -> SplitFacts:
    bounds = split.bounds()
    names = list(bounds)
    low = bounds[names[names.index(name) - 1]] if names.index(name) else 0.0
    high = bounds[name] if name != names[-1] else 2.0
    file = out / name / "part-00000.parquet"
    file.parent.mkdir()
    rows = database.execute(
        f"COPY (SELECT {', '.join(map(_name, columns))} FROM source WHERE __point >= {low!r} AND __point < {high!r}) "  # noqa: S608
        f"TO {_quote(str(file))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchall()[0][0]
    if rows == 0:
        raise SluiceError(f"the split {name!r} got no rows", where="split",
                          remedy="give more data, a larger weight, or other keys")  # fmt: skip
    progress(f"{name}: {rows:,} rows")
    return SplitFacts(rows=rows, bytes=file.stat().st_size, files=1)


def _content(database: duckdb.DuckDBPyConnection, columns: dict[str, str], split: Split) -> dict[str, Any]:
    """Rows, digest of the content, duplicates, and rows that splits share.

    The digest is of the sum of the rows' hashes (order does not count, repeated rows do), the columns and the split.
    """
    bounds = list(split.bounds().values())[:-1]
    place = " + ".join([f"(__point >= {bound!r})::INT" for bound in bounds] or ["0"])
    rows, total, distinct, shared = database.execute(
        "SELECT coalesce(sum(n), 0)::BIGINT, sum(__hash::HUGEINT * n)::VARCHAR, count(*), count_if(low <> high) FROM "  # noqa: S608
        f"(SELECT __hash, count(*) AS n, min({place}) AS low, max({place}) AS high FROM source GROUP BY __hash)"
    ).fetchall()[0]
    named = digest.of_json([columns, split.model_dump(mode="json"), HASH_VERSION, rows, total])
    return {"rows": rows, "digest": named, "duplicates": rows - distinct, "shared": shared}


def _facts(uri: str) -> SourceFile:
    if not storage.is_local(uri):
        return SourceFile(uri=uri)
    stats = [path.stat() for path in matches(uri)]
    newest = datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC).isoformat()
    return SourceFile(uri=uri, size=sum(stat.st_size for stat in stats), etag=newest)
