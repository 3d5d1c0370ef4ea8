"""Quarantine: rows that do not parse, with source, line, cause and raw text; past a limit they are an error."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError, shorten
from sluice.examples.formats import FILE
from sluice.examples.rows import CAUSE, TEXT
from sluice.examples.sql import quote as _quote
from sluice.parts import describe

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from sluice.examples.formats import Reading
    from sluice.examples.source import Quarantine
    from sluice.parts import Part

FOLDER = "quarantine"
SHOWN = 10
SEEN = "quarantine.parquet"


class Aside:
    """The rows of a stream that do not parse, put aside in a file as they come.

    Attributes:
        rows: rows seen by source file, these too.
        put: how many were put aside.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / SEEN
        self._writer: Any = None
        self.rows: Counter[str] = Counter()
        self.put = 0

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without its rows that do not parse, which are kept with their place in their file, from 0."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        runs = self._runs(batch.column(FILE))
        if batch.column(CAUSE).null_count == len(batch):
            return batch
        places = pa.concat_arrays([pa.array(range(first, first + rows), pa.int64()) for first, rows in runs])
        bad = pc.is_valid(batch.column(CAUSE))
        rows = pa.record_batch(
            {"source": batch.column(FILE), "place": places, "cause": batch.column(CAUSE), "text": batch.column(TEXT)}
        ).filter(bad)
        self._writer = self._writer or pq.ParquetWriter(self._file, rows.schema)
        self._writer.write_batch(rows)
        self.put += len(rows)
        return batch.filter(pc.invert(bad))

    def close(self) -> Path | None:
        """The file, where there is one."""
        if self._writer is None:
            return None
        self._writer.close()
        return self._file

    def _runs(self, files: pa.Array) -> list[tuple[int, int]]:
        """For each run of rows of one file, the place of its first row in that file, and its rows."""
        import pyarrow.compute as pc

        encoded, runs, start = pc.run_end_encode(files), [], 0
        for name, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
            runs.append((self.rows[name], end - start))
            self.rows[name] += end - start
            start = end
        return runs


def collect(database: duckdb.DuckDBPyConnection, reading: Reading, aside: Aside) -> int:
    """Make the table ``quarantine`` of what the reader put aside and of what the stream did; returns its rows.

    The line of a row of the second kind is counted from the rows before it and the lines that the reader put aside: a
    quoted line break before it in the same file makes it too low.
    """
    database.execute(
        "CREATE TEMP TABLE rejected AS "
        + (
            "SELECT s.file_path AS source, e.line::BIGINT AS line, string_agg(DISTINCT split_part(e.error_message, chr(10), 1), '; ' "
            "ORDER BY split_part(e.error_message, chr(10), 1)) AS cause, coalesce(any_value(e.csv_line), '') AS text "
            "FROM reject_errors e JOIN reject_scans s USING (scan_id, file_id) GROUP BY ALL"
            if reading.rejects
            else "SELECT NULL::VARCHAR AS source, NULL::BIGINT AS line, NULL::VARCHAR AS cause, NULL::VARCHAR AS text WHERE false"
        )
    )
    file = aside.close()
    seen = (
        f"read_parquet({_quote(str(file))})"
        if file
        else "(SELECT source, line AS place, cause, text FROM rejected WHERE false)"
    )
    # `before` good rows come before a rejected line; a row's line is its place, and the rejected lines before it.
    database.execute(
        "CREATE TEMP TABLE quarantine AS WITH numbered AS (SELECT source AS file, line, "  # noqa: S608
        "row_number() OVER (PARTITION BY source ORDER BY line) AS number FROM rejected), "
        f"steps AS (SELECT file, line - {reading.first_line} - number + 1 AS before, max(number) AS number FROM numbered GROUP BY ALL) "
        f"FROM rejected UNION ALL SELECT source, place + {reading.first_line} + coalesce(number, 0), cause, text "
        f"FROM {seen} ASOF LEFT JOIN steps ON file = source AND place >= before"
    )
    if file:
        file.unlink()
    return int(database.execute("SELECT count(*) FROM quarantine").fetchall()[0][0])


def hold(database: duckdb.DuckDBPyConnection, found: int, rows: int, limits: Quarantine, where: str) -> None:
    """Hold the limits.

    Args:
        database: has the table ``quarantine``.
        found: how many rows it has.
        rows: all rows, these too.
        limits: how many there may be.
        where: the source.

    Raises:
        SluiceError: there are more; the first ten are shown.
    """
    if found <= limits.max_rows and found <= limits.max_fraction * rows:
        return
    first = database.execute(f"SELECT line, cause, text FROM quarantine ORDER BY source, line LIMIT {SHOWN}").fetchall()  # noqa: S608
    shown = "\n".join(f"  line {line}: {cause}: {shorten(text, 120)}" for line, cause, text in first)
    raise SluiceError(
        f"{found:,} of {rows:,} rows do not parse, and {limits.max_rows:,} rows and {limits.max_fraction:.2%} may be malformed"
        f"\n{shown}\n",
        where=where,
        remedy="mend the source, give source.csv or source.types, or raise source.quarantine",
    )


def write(database: duckdb.DuckDBPyConnection, out: Path, rows: int) -> tuple[Part, ...]:
    """Write ``quarantine/part-00000.parquet`` (source, line, cause, text), in order; returns the file as it is listed."""
    (out / FOLDER).mkdir()
    file = out / FOLDER / "part-00000.parquet"
    database.execute(f"COPY (FROM quarantine ORDER BY source, line) TO {_quote(str(file))} (FORMAT parquet)")
    return (describe(out, file, rows),)
