"""Ingest: one pass over a table, its rows divided by a stable hash, by time or by the source, as Parquet and a manifest.

DuckDB reads and parses; its rows stream by in batches, which are hashed, divided and written. What does not parse is put aside.
Memory is bounded whatever the size of the input. The output is written beside its final name and renamed when whole, so
that a killed ingest leaves nothing that a later step could take for data.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.examples import divide, hashing, names, pii, quarantine, rows, spans
from sluice.examples.formats import FILE, open_source
from sluice.examples.formats.remote import facts
from sluice.examples.kinds import Columns
from sluice.examples.kinds import columns as columns_of
from sluice.examples.manifest import Manifest
from sluice.examples.quarantine import Aside
from sluice.examples.split import EVAL, TRAIN
from sluice.examples.write import Content, Splits
from sluice.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from sluice.examples.formats import Reading
    from sluice.examples.manifest import SourceFile
    from sluice.examples.source import Source
    from sluice.examples.split import Split

MEMORY = "512MB"  # DuckDB's share; past it its groups go to disk
BUFFER = "32MB"  # what DuckDB reads ahead of the stream
SHOWN = 50  # columns that are printed with what was inferred


def ingest(source: Source, split: Split, span: str, out: Path, label: str | None = None, schema: str = "") -> Manifest:
    """Read a span of the source and write an examples artifact.

    Args:
        source: where the data is.
        split: how rows are divided.
        span: the span in explicit form, ``""`` where the source has none.
        out: the artifact's folder; replaced as a whole.
        label: a column that must be there.
        schema: text of a ``schema.pbtxt``, whose types go before those inferred from text.

    Returns:
        The manifest, as written.

    Raises:
        SluiceError: nothing to read, a column that is not there, a column type that has no place in examples, more
            malformed rows than the source's limits allow, a split that got no rows, or personal data that is refused.
    """
    import duckdb

    uris = spans.uris(source, span)
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(partial / "spill")}) as database:
        database.execute(
            f"SET streaming_buffer_size = '{BUFFER}'; SET enable_progress_bar = false; SET TimeZone = 'UTC'"
        )
        _require_zone(database, source)
        reading = open_source(database, source, uris, span)
        columns = columns_of(
            database, source, reading, schema, [*([label] if label else []), *split.needs(), *source.drop_missing]
        )
        _require(columns.kinds, split, label, source)
        progress(f"reading {', '.join(uris)}")
        _tell(columns, source)
        manifest = _read(database, reading, columns, source, split, span, partial)
    shutil.rmtree(partial / "spill", ignore_errors=True)
    manifest.save(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return manifest


def _read(
    database: duckdb.DuckDBPyConnection,
    reading: Reading,
    columns: Columns,
    source: Source,
    split: Split,
    span: str,
    out: Path,
) -> Manifest:
    """Read everything, and write everything but the manifest."""
    held = facts(spans.uris(source, span))
    stored = {column: kind for column, kind in columns.kinds.items() if column != split.column}
    aside, content, splits, scan = Aside(out), Content(out), Splits(out, stored), pii.Scan(source.pii, stored)
    dropped = rows.Dropped(source.drop_missing)
    streamed = rows.stream(database, reading, columns.kinds, split, source.uri, source.notation)
    batches: Any = (dropped.take(aside.take(batch)) for batch in streamed)
    latest = None
    if split.time and split.time.last:
        batches, latest = divide.held(batches, split.time.column, out / "spool.parquet")
    seen, placed = 0, 0
    for batch in batches:
        hashes = hashing.hashed(batch, stored)
        seen += len(batch)
        scan.see(batch, hashes)
        for name, inside in divide.parts(batch, hashes, split, latest):
            part, own = batch.filter(inside), hashes.filter(inside)
            if len(part):
                placed += len(part)
                splits.add(name, part)
                content.place(name, own)
    (out / "spool.parquet").unlink(missing_ok=True)
    quarantined = quarantine.collect(database, reading, aside)
    rows_in = seen + quarantined + dropped.rows
    quarantine.hold(database, quarantined, rows_in, source.quarantine, source.uri)
    quarantined_files = quarantine.write(database, out, quarantined) if quarantined else ()
    written = splits.close(list(split.ratios) if split.by_hash else [TRAIN, EVAL] if split.time else [])
    read = spans.read(source, span)
    return Manifest(
        sources=_counted(held, reading, aside, database), columns=stored, splits=written,
        inferred=[column for column in columns.inferred if column in stored],
        split={**split.model_dump(mode="json", exclude_none=True), "hash": hashing.NAME, "hash_version": hashing.VERSION},
        bounds=split.bounds(), spans=[part.label for part in read], version=reading.version or spans.versions(read),
        rows_in=rows_in, quarantined=quarantined, quarantine=quarantined_files, left_out=seen - placed + dropped.rows,
        warnings=[*columns.warnings, *dropped.said(), *scan.close()], **content.facts(database, stored, split),
    )  # fmt: skip


def _counted(
    held: list[SourceFile], reading: Reading, aside: Aside, database: duckdb.DuckDBPyConnection
) -> list[SourceFile]:
    """The sources with the rows that each gave, where the reader tells."""
    if not reading.file:
        return held
    rejected = dict(database.execute("SELECT source, count(*) FROM rejected GROUP BY source").fetchall())
    return [
        file.model_copy(update={"rows": aside.rows[file.uri] + rejected.get(file.uri, 0)})
        if file.uri in aside.rows or file.uri in rejected
        else file
        for file in held
    ]


def _tell(columns: Columns, source: Source) -> None:
    """Print once what was inferred, what was assumed and what is not as it seems."""
    if columns.inferred:
        progress(f"inferred from the first rows of {source.uri} (source.types decides otherwise):")
        width = max(map(len, columns.inferred[:SHOWN]))
        for column in columns.inferred[:SHOWN]:
            progress(f"  {column:<{width}}  {columns.kinds[column]}")
        if len(columns.inferred) > SHOWN:
            progress(f"  and {len(columns.inferred) - SHOWN} more; examples.json has them all")
    if columns.without_zone:
        progress(
            f"times without a zone are taken for {source.timezone} (source.timezone): {', '.join(columns.without_zone)}"
        )


def _require_zone(database: duckdb.DuckDBPyConnection, source: Source) -> None:
    known = "SELECT count(*) FROM pg_timezone_names() WHERE name = ?"
    if source.timezone != "UTC" and not database.execute(known, [source.timezone]).fetchall()[0][0]:
        raise SluiceError(f"{source.timezone!r} is no time zone", where="source.timezone",
                          remedy="name one of the IANA database, e.g. Europe/Berlin")  # fmt: skip


def _require(columns: dict[str, str], split: Split, label: str | None, source: Source) -> None:
    uri = source.uri
    names.check(columns, uri, (rows.CAUSE, rows.TEXT, FILE))
    for what, wanted in (
        ("label", [label] if label else []),
        ("split key" if split.by_hash else "split's column", split.needs()),
        ("column of source.drop_missing", source.drop_missing),
    ):
        if absent := [column for column in wanted if column not in columns]:
            raise SluiceError(f"the {what} {absent[0]!r} is not a column of the source", where=uri,
                              remedy=f"columns: {', '.join(columns)}")  # fmt: skip
    if split.time and columns[split.time.column] != "timestamp[us]":
        raise SluiceError(f"{split.time.column!r} is no column of times ({columns[split.time.column]})", where="split.time.column",
                          remedy=f"name one, or say that it is: source.types: {{{split.time.column}: 'timestamp[us]'}}")  # fmt: skip
    if split.column and columns[split.column] != "string":
        raise SluiceError(f"{split.column!r} is no column of texts ({columns[split.column]})", where="split.column",
                          remedy=f"say that it is: source.types: {{{split.column}: string}}")  # fmt: skip
    if split.column and label == split.column:
        raise SluiceError(f"{label!r} cannot be the label and name the split", where="split.column",
                          remedy="name another column")  # fmt: skip
