"""One table in every format gives the same columns, kinds, values and content id, whatever the machine's time zone."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split
from tests.examples.test_formats import tfrecord

deltalake = pytest.importorskip("deltalake", reason="the extra delta is not installed")

ROWS = 6
BERLIN = timezone(timedelta(hours=2))
DAY = date(1969, 12, 31)
COLUMNS = {
    "i8": "int64", "i16": "int64", "i32": "int64", "i64": "int64", "u8": "int64", "u16": "int64", "u32": "int64", "u64": "int64",
    "long": "string", "whole": "int64", "price": "double", "f32": "double", "f64": "double", "flag": "bool", "text": "string",
    "bytes": "string", "uid": "string", "kind": "string", "day": "timestamp[us]", "at": "timestamp[us]", "moment": "timestamp[us]",
    "clock": "string", "gaps": "int64", "none": "string",
}  # fmt: skip
TABLE = {
    "i8": pa.array([-128, 0, 1, 2, 3, 127], pa.int8()),
    "i16": pa.array([-32768, 0, 1, 2, 3, 32767], pa.int16()),
    "i32": pa.array([-(2**31), 0, 1, 2, 3, 2**31 - 1], pa.int32()),
    "i64": pa.array([-(2**63), 0, 2**53 + 1, 2, 3, 2**63 - 1], pa.int64()),
    "u8": pa.array([0, 1, 2, 3, 4, 255], pa.uint8()),
    "u16": pa.array([0, 1, 2, 3, 4, 65535], pa.uint16()),
    "u32": pa.array([0, 1, 2, 3, 4, 2**32 - 1], pa.uint32()),
    "u64": pa.array([0, 1, 2, 3, 4, 2**63 - 1], pa.uint64()),
    "long": pa.array([0, 1, 2, 3, 4, 2**64 - 1], pa.uint64()),
    "whole": pa.array([Decimal(999999999999999999 - i) for i in range(ROWS)], pa.decimal128(18, 0)),
    "price": pa.array([Decimal(i) / 4 for i in (-1, 10, 1999, 100, 33, 7)], pa.decimal128(10, 2)),
    "f32": pa.array([0.5, -1.25, 3.0, 1024.5, 0.0, 2.5], pa.float32()),
    "f64": pa.array([0.5, math.nan, math.inf, -math.inf, 2.0**100, -(2.0**-40)]),
    "flag": pa.array([True, False, True, False, True, None]),
    "text": pa.array(["a", "07", 'q"uo,te', "größe", "null", None]),
    "bytes": pa.array([f"ü{i}".encode() for i in range(ROWS)], pa.binary()),
    "uid": pa.array([str(uuid.UUID(int=2**100 + i)) for i in range(ROWS)]),
    "kind": pa.array(["one", "two", "one", "two", "one", "one"]).dictionary_encode(),
    "day": pa.array([DAY + timedelta(days=i) for i in range(ROWS)], pa.date32()),
    "at": pa.array([datetime(2024, 3, 31, 2, 30, 0, i) for i in range(ROWS)], pa.timestamp("us")),
    "moment": pa.array(
        [datetime(2024, 7, 1, i, tzinfo=BERLIN) for i in range(ROWS)], pa.timestamp("us", "Europe/Berlin")
    ),
    "clock": pa.array([time(12, 30, i) for i in range(ROWS)], pa.time64("us")),
    "gaps": pa.array([1, None, 3, None, 5, 6]),
    "none": pa.nulls(ROWS, pa.string()),
}
NESTED = pa.array([{"city": "Bern", "zip": [1, 2]}] * ROWS)
JOB = (
    "import json, sys; from pathlib import Path; from sluice.examples import ingest, source, split; "
    "print(json.dumps({name: ingest.ingest(source.Source.model_validate(given), split.Split(ratios={'train': 1.0}), '', "
    "Path(sys.argv[1]) / name).model_dump() for name, given in json.load(sys.stdin).items()}))"
)


def plain(value: Any) -> Any:
    """A value as JSON and CSV write it."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" " if value.tzinfo is None else "T")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    return (
        float(value)
        if isinstance(value, Decimal) and value % 1
        else int(value)
        if isinstance(value, Decimal)
        else value
    )


def table(**other: pa.DataType) -> pa.Table:
    """The table with some columns in the type that a format has instead."""
    return pa.table({
        name: pa.array(map(str, array.to_pylist())) if name == "clock" and other else array.cast(other.get(name, array.type))
        for name, array in TABLE.items()
    })  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Name of a format to the source that holds the table in it."""
    folder = tmp_path_factory.mktemp("matrix")
    rows = [{name: plain(value) for name, value in row.items()} for row in table().to_pylist()]
    long = pa.decimal128(20, 0)
    with (folder / "d.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(TABLE))
        writer.writeheader()
        writer.writerows(
            {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
            for row in rows
        )
    nested = [{**row, "nested": value} for row, value in zip(rows, NESTED.to_pylist(), strict=True)]
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in nested))
    (folder / "d.json").write_text(json.dumps(nested, indent=1))
    with_uuid = table().set_column(
        list(TABLE).index("uid"),
        "uid",
        pa.array([uuid.UUID(text).bytes for text in TABLE["uid"].to_pylist()], pa.uuid()),
    )
    pq.write_table(with_uuid.append_column("nested", NESTED), folder / "d.parquet")
    signed = {"u8": pa.int64(), "u16": pa.int64(), "u32": pa.int64(), "u64": pa.int64(), "long": long}
    orc.write_table(table(**signed, kind=pa.string()).append_column("nested", NESTED), str(folder / "d.orc"))
    avro(folder / "d.avro")
    numbers = (
        {**row, "long": str(row["long"]), "flag": None if row["flag"] is None else int(row["flag"])} for row in rows
    )
    (folder / "d.tfrecord").write_bytes(tfrecord(list(numbers)))
    deltalake.write_deltalake(folder / "delta", table(**signed, kind=pa.string()).append_column("nested", NESTED))
    return {
        **{name: {"uri": str(folder / f"d.{name}")} for name in ("csv", "jsonl", "json", "parquet", "orc", "avro")},
        # tf.Example has neither times nor booleans: they are told.
        "tfrecord": {
            "uri": str(folder / "d.tfrecord"),
            "types": {"flag": "bool", **{name: kind for name, kind in COLUMNS.items() if kind == "timestamp[us]"}},
        },
        "delta": {"uri": str(folder / "delta")}, "query": {"uri": str(folder / "d.parquet"), "query": "SELECT * FROM source"},
    }  # fmt: skip


def avro(file: Path) -> None:
    kinds: dict[str, Any] = {
        "long": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0},
        "whole": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 0},
        "price": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        "f32": "float", "f64": "double", "flag": "boolean", "text": "string", "bytes": "bytes",
        "uid": {"type": "string", "logicalType": "uuid"}, "kind": {"type": "enum", "name": "Kind", "symbols": ["one", "two"]},
        "day": {"type": "int", "logicalType": "date"}, "at": {"type": "long", "logicalType": "local-timestamp-micros"},
        "moment": {"type": "long", "logicalType": "timestamp-micros"}, "clock": {"type": "long", "logicalType": "time-micros"},
        "none": "string", "nested": {"type": "map", "values": "long"},
    }  # fmt: skip
    fields = [{"name": name, "type": ["null", kinds.get(name, "long")]} for name in (*TABLE, "nested")]
    rows = [{**row, "long": Decimal(row["long"]), "nested": {"a": 1}} for row in table().to_pylist()]
    with file.open("wb") as handle:
        fastavro.writer(handle, {"type": "record", "name": "Row", "fields": fields}, rows)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_every_format_gives_the_same_table_in_every_zone(
    sources: dict[str, dict[str, Any]], tmp_path: Path, zone: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOB, str(tmp_path)], input=json.dumps(sources), text=True, check=False, capture_output=True,
        env={**os.environ, "TZ": zone, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    manifests = json.loads(done.stdout)
    assert {name: manifest["columns"] for name, manifest in manifests.items()} == dict.fromkeys(sources, COLUMNS)
    assert {name: (manifest["rows_in"], manifest["quarantined"]) for name, manifest in manifests.items()} == dict.fromkeys(sources, (ROWS, 0))  # fmt: skip
    read = {name: Examples.load(tmp_path / name).table("train").select(list(COLUMNS)).to_pylist() for name in sources}
    for name, rows in read.items():
        assert repr(rows) == repr(read["parquet"]), name
    assert {manifest["content_id"] for manifest in manifests.values()} == {manifests["parquet"]["content_id"]}
    for name in set(sources) - {"csv", "tfrecord"}:
        assert [warning for warning in manifests[name]["warnings"] if "'nested' is left out" in warning], name
    assert "taken for UTC (source.timezone): at" in done.stderr


POSTGRESQL = {
    "i8": "smallint", "i16": "smallint", "i32": "integer", "u64": "numeric(19,0)", "long": "numeric(20,0)", "whole": "numeric(18,0)",
    "price": "numeric(10,2)", "f32": "real", "f64": "float8", "flag": "boolean", "uid": "uuid", "day": "date", "at": "timestamp",
    "moment": "timestamptz", "clock": "time", **dict.fromkeys(("text", "kind", "none"), "text"),
}  # fmt: skip


def test_a_database_gives_the_same_table(postgresql: str, sources: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    from adbc_driver_postgresql import dbapi

    texts = {
        name: [None if value is None else str(plain(value)) for value in array.to_pylist()]
        for name, array in TABLE.items()
    }
    with dbapi.connect(postgresql, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("t", pa.table({name: pa.array(values, pa.string()) for name, values in texts.items()}))
    listed = [
        "convert_to(bytes, 'UTF8') AS bytes"
        if name == "bytes"
        else f'CAST("{name}" AS {POSTGRESQL.get(name, "bigint")}) AS "{name}"'
        for name in TABLE
    ]
    query = f"SELECT {', '.join(listed)}, ARRAY[1] AS nested FROM t"
    manifest = ingest(Source(uri=postgresql, query=query), Split(ratios={"train": 1.0}), "", tmp_path / "out")
    assert manifest.columns == COLUMNS
    ingest(Source.model_validate(sources["parquet"]), Split(ratios={"train": 1.0}), "", tmp_path / "parquet")
    rows, wanted = (Examples.load(tmp_path / name).table("train").to_pylist() for name in ("out", "parquet"))
    assert repr(rows) == repr(wanted)
    assert manifest.content_id == Examples.load(tmp_path / "parquet").manifest.content_id


def test_the_values_are_those_that_were_written(sources: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    ingest(Source.model_validate(sources["csv"]), Split(ratios={"train": 1.0}), "", tmp_path / "out")
    stored = Examples.load(tmp_path / "out").table("train").to_pydict()
    for name, kind in COLUMNS.items():
        written = TABLE[name].to_pylist()
        if kind == "timestamp[us]":
            moments = [datetime.combine(each, time()) if type(each) is date else each for each in written]
            written = [each.astimezone(UTC).replace(tzinfo=None) if each.tzinfo else each for each in moments]
        elif kind == "double":
            written = [float(each) for each in written]
        elif kind == "string":
            written = [None if each is None else str(plain(each)) for each in written]
        elif kind == "int64":
            written = [None if each is None else int(each) for each in written]
        assert repr(stored[name]) == repr(written), name
