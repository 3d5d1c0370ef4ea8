"""Dividing rows: each batch's parts, by hash, by time or by the source (`sluice.examples.split` says which)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.examples import hashing
from sluice.examples.split import EVAL, TRAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from sluice.examples.split import Split


def parts(
    batch: pa.RecordBatch, hashes: pa.Array, split: Split, latest: datetime | None = None
) -> Iterator[tuple[str, Any]]:
    """Each split's name with the mask of its rows; rows in the gap of a split by time are in none.

    Args:
        batch: rows.
        hashes: the hash of each row, of all its columns.
        split: how they are divided.
        latest: the latest time of all rows, where the split needs it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if split.time:
        times, start = batch.column(split.time.column), split.time.start(latest)
        before, after = (pa.scalar(moment, pa.timestamp("us")) for moment in (start - split.time.gap, start))
        yield TRAIN, pc.less(times, before)
        yield EVAL, pc.greater_equal(times, after)
    elif split.column:
        given = batch.column(split.column)
        for value in given.unique().to_pylist():
            yield split.names.get(value, value), pc.equal(given, value)
    else:
        points = hashing.hashed(batch, split.keys) if split.keys else hashes
        for name, (low, high) in split.bounds().items():
            first, end = int(low * hashing.SPACE), int(high * hashing.SPACE)
            inside = pc.greater_equal(points, pa.scalar(first, pa.uint64()))
            if end < hashing.SPACE:  # which no uint64 can be
                inside = pc.and_(inside, pc.less(points, pa.scalar(end, pa.uint64())))
            yield name, inside


def held(batches: Iterable[pa.RecordBatch], column: str, spool: Path) -> tuple[Iterator[pa.RecordBatch], Any]:
    """Read all batches to their end, by way of a file, to know the latest time first; then the batches again."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    latest, writer = None, None
    for batch in batches:
        writer = writer or pq.ParquetWriter(spool, batch.schema, compression="lz4")
        writer.write_batch(batch)
        newest = pc.max(batch.column(column)).as_py()
        latest = max(latest, newest) if latest and newest else newest or latest
    if writer is None:
        return iter(()), None
    writer.close()

    def again() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(spool) as file:
            yield from file.iter_batches()

    return again(), latest
