"""Ingest: CSV to split Parquet, and DuckDB's plain COPY of the same file beside it, each in a process of its own.

Usage: python -m tests.bench.ingest [GIGABYTES...]    (default: 0.1 1 2)
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

BYTES_A_ROW = 89
ROUNDS = 3
COPY = "import duckdb; duckdb.sql(\"COPY (FROM read_csv('rows.csv')) TO 'plain.parquet'\")"
INGEST = (
    "from pathlib import Path; from sluice.examples import ingest, source, split; "
    "ingest.ingest(source.Source(uri='rows.csv'), split.Split(), '', Path('out'))"
)
# A step's image has neither numpy nor pandas, which pyarrow would import where it finds them.
RUN = (
    "import resource, sys; sys.modules |= {'numpy': None, 'pandas': None}; exec(sys.argv[1]); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
)


def measure(code: str, folder: Path) -> tuple[float, float, int]:
    """Seconds on the wall, CPU seconds, and peak memory in MiB of a fresh process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", RUN, code], cwd=folder, check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(done.stdout.split()[-1])


def main() -> None:
    """Print size, seconds, ratio and peak memory."""
    for size in [float(size) for size in sys.argv[1:]] or [0.1, 1, 2]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            duckdb.sql(
                "COPY (SELECT i AS id, i % 366 AS day, random() AS x, random() * 1000 AS y, 'name' || (i % 977) AS name, "
                "i % 2 = 0 AS even, TIMESTAMP '2013-01-01' + INTERVAL (i % 100000000) SECOND AS seen, "
                f"hash(i)::VARCHAR AS tail FROM range({int(size * 1e9 / BYTES_A_ROW)}) t(i)) TO '{folder / 'rows.csv'}' (HEADER)"
            )
            megabytes = (folder / "rows.csv").stat().st_size / 1e6
            rounds = [(*measure(COPY, folder), *measure(INGEST, folder)) for _ in range(ROUNDS)]
            plain, plain_cpu, _, ours, ours_cpu, peak = (
                statistics.median(figure) for figure in zip(*rounds, strict=True)
            )
            speed, by_cpu = (statistics.median(r[i] / r[i + 3] for r in rounds) for i in (0, 1))
            print(
                f"{megabytes:>6,.0f} MB: ingest {ours:.1f} s ({ours_cpu:.1f} CPU s), plain COPY {plain:.1f} s ({plain_cpu:.1f}); "
                f"speed {speed:.2f} of COPY's ({by_cpu:.2f} by CPU); peak {peak:,.0f} MiB", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
