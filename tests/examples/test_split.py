"""Splits: stable, proportional, by key, whatever the order and the files."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import struct
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sluice.errors import SluiceError
from sluice.examples import hashing
from sluice.examples.ingest import ingest
from sluice.examples.manifest import Manifest
from sluice.examples.source import Source
from sluice.examples.split import Split


def table(folder: Path, select: str, name: str = "data.parquet") -> Source:
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet)")
    return Source(uri=str(folder / name))


def keys(folder: Path, split: str, column: str = "id") -> set[object]:
    return set(pq.read_table(folder / split, columns=[column]).column(column).to_pylist())


def reference(row: dict[str, object]) -> int:
    """The hash of a row, version 2, by its description in `sluice.examples.hashing` alone."""

    def word(value: object) -> int:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return 0x6E756C6C
        if isinstance(value, str):
            return int.from_bytes(hashlib.md5(value.encode()).digest()[:8], "big")  # noqa: S324
        if isinstance(value, float):
            return struct.unpack("<Q", struct.pack("<d", value + 0.0))[0]
        if isinstance(value, datetime):
            return (value - datetime(1970, 1, 1)) // timedelta(microseconds=1) % 2**64
        return int(value) % 2**64  # type: ignore[call-overload]

    made = 0
    for column in sorted(row):
        made = ((made ^ word(row[column])) + 0x9E3779B97F4A7C15) % 2**64
        made = (made ^ made >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        made = (made ^ made >> 27) * 0x94D049BB133111EB % 2**64
        made ^= made >> 31
    return made


VECTORS: list[dict[str, Any]] = [
    {"id": 1, "text": "a", "number": 1.5, "flag": True, "at": datetime(2013, 1, 31, 5)},
    {"id": -2, "text": "ü", "number": -0.25, "flag": None, "at": datetime(1969, 7, 20, 20, 17, 40, 1)},
    {"id": 2**62, "text": "", "number": -0.0, "flag": False, "at": None},
    {"id": None, "text": None, "number": None, "flag": None, "at": None},
]
EXPECTED = [0xAE6A9E9A09ABB1C7, 0xF587C34B34C413AA, 0x33684DA9A3ACF8CC, 0xC1407B2D1BB8C38A]


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    kinds = {
        "id": pa.int64(),
        "text": pa.string(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "at": pa.timestamp("us"),
    }
    return pa.RecordBatch.from_pylist(rows, schema=pa.schema(kinds))


def test_fixed_vectors() -> None:
    """The hash of these rows is part of the contract: it may change with `hashing.VERSION` only."""
    found = hashing.hashed(batch(VECTORS), VECTORS[0]).to_pylist()
    assert found == [reference(row) for row in VECTORS]
    assert found == EXPECTED


VALUES = st.fixed_dictionaries({
    "id": st.none() | st.integers(-(2**63), 2**63 - 1), "text": st.none() | st.text(max_size=9),
    "number": st.none() | st.floats(), "flag": st.none() | st.booleans(),
    "at": st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
})  # fmt: skip


@given(st.lists(VALUES, max_size=8), st.sets(st.sampled_from(sorted(VECTORS[0])), min_size=1))
def test_the_hash_is_that_of_its_description(rows: list[dict[str, Any]], columns: set[str]) -> None:
    expected = [reference({column: row[column] for column in columns}) for row in rows]
    assert hashing.hashed(batch(rows), columns).to_pylist() == expected


def test_rows_fall_where_their_hash_says(tmp_path: Path) -> None:
    rows = [{"id": i, "name": f"n{i % 7}"} for i in range(200)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    source = Source(uri=str(tmp_path / "data.parquet"))
    ingest(source, Split(ratios={"train": 1, "eval": 3}), "", tmp_path / "out")
    assert keys(tmp_path / "out", "train") == {row["id"] for row in rows if reference(row) < 2**62}
    ingest(source, Split(ratios={"train": 1, "eval": 1}, keys=["name"]), "", tmp_path / "out")
    assert keys(tmp_path / "out", "eval") == {row["id"] for row in rows if reference({"name": row["name"]}) >= 2**63}


@pytest.mark.parametrize(
    "select",
    ["i AS id", "i AS id, i * 1024 AS x", "i AS id, 0 AS zero", "i / 8 AS x", "i * 65536 AS id", "TIMESTAMP '2026-01-01' + i * INTERVAL 1 DAY AS at",
     "CAST(i AS VARCHAR) AS t", "i AS id, i AS same"],
)  # fmt: skip
def test_regular_data_is_spread_evenly(tmp_path: Path, select: str) -> None:
    """Ten splits of 20,000 rows: chi-squared of nine degrees of freedom passes 40 once in 130,000 times."""
    source = table(tmp_path, f"SELECT {select} FROM range(20000) t(i)")
    manifest = ingest(source, Split(ratios={f"s{i}": 1 for i in range(10)}), "", tmp_path / "out")
    assert sum((facts.rows - 2000) ** 2 / 2000 for facts in manifest.splits.values()) < 40


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_proportions_lie_within_sampling_error(
    tmp_path_factory: pytest.TempPathFactory, train: int, evaluate: int, seed: int
) -> None:
    folder, rows = tmp_path_factory.mktemp("split"), 4000
    source = table(folder, f"SELECT i AS id, i + {seed} AS x FROM range({rows}) t(i)")
    manifest = ingest(source, Split(ratios={"train": train, "eval": evaluate}), "", folder / "out")
    share = train / (train + evaluate)
    assert abs(manifest.splits["train"].rows - rows * share) < 5 * math.sqrt(rows * share * (1 - share)) + 1
    assert keys(folder / "out", "train").isdisjoint(keys(folder / "out", "eval"))


def test_rows_of_one_key_stay_together(tmp_path: Path) -> None:
    source = table(tmp_path, "SELECT i AS id, i % 50 AS passenger FROM range(2000) t(i)")
    ingest(source, Split(keys=["passenger"]), "", tmp_path / "out")
    assert keys(tmp_path / "out", "train", "passenger").isdisjoint(keys(tmp_path / "out", "eval", "passenger"))


def test_neither_row_order_nor_file_layout_changes_a_row(tmp_path: Path) -> None:
    select = "SELECT i AS id, i % 7 AS x, 'text ' || i AS t FROM range(1000) t(i)"
    one = table(tmp_path / "one", select)
    table(tmp_path / "many", f"{select} WHERE i >= 300 ORDER BY i DESC", "b.parquet")
    table(tmp_path / "many", f"{select} WHERE i < 300", "a.parquet")
    first = ingest(one, Split(), "", tmp_path / "first")
    second = ingest(Source(uri=str(tmp_path / "many" / "*.parquet")), Split(), "", tmp_path / "second")
    assert first.content_id == second.content_id
    turned = ingest(table(tmp_path / "turned", f"SELECT t, id, x FROM ({select})"), Split(), "", tmp_path / "third")
    assert turned.content_id == first.content_id
    other = ingest(one, Split(ratios={"train": 4, "eval": 2}), "", tmp_path / "other")
    assert other.content_id != first.content_id, "some rows stand in another split"
    for split in ("train", "eval"):
        assert keys(tmp_path / "first", split) == keys(tmp_path / "second", split) == keys(tmp_path / "third", split)


@pytest.mark.parametrize(
    "ratios", [{}, {"train": 0}, {"train": -1, "eval": 2}, {"a b": 1}, {"train": math.nan}, {"train": math.inf}]
)
def test_ratios_that_mean_nothing_are_refused(ratios: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Split(ratios=ratios)


def test_bounds_have_one_order(tmp_path: Path) -> None:
    expected = {"train": (0.0, 0.5), "eval": (0.5, 0.75), "a": (0.75, 0.875), "b": (0.875, 1.0)}
    for names in itertools.permutations(expected):
        split = Split(ratios={name: {"train": 4, "eval": 2}.get(name, 1) for name in names})
        assert list(split.bounds().items()) == list(expected.items())
    by_time = Split.model_validate({"time": {"column": "at", "last": "7d"}})
    assert by_time.bounds() == Split(column="fold").bounds() == {}
    source = table(tmp_path, "SELECT i AS id FROM range(100) t(i)")
    manifest = ingest(source, Split(ratios={"b": 1, "a": 1, "eval": 1, "train": 4}), "", tmp_path / "out")
    assert list(manifest.splits) == ["train", "eval", "a", "b"]
    assert manifest.bounds == {"train": (0.0, 4 / 7), "eval": (4 / 7, 5 / 7), "a": (5 / 7, 6 / 7), "b": (6 / 7, 1.0)}
    assert Manifest.load(tmp_path / "out").bounds == manifest.bounds
    for name, (low, high) in manifest.bounds.items():
        assert all(low <= reference({"id": i}) / 2**64 < high for i in keys(tmp_path / "out", name))


INGESTS = """
import itertools, json, sys, tempfile
from pathlib import Path
import pyarrow.parquet as pq
from google.protobuf import json_format
from kfp.compiler.pipeline_spec_builder import to_protobuf_value
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split
from sluice.stages.runtime import parse

found = []
with tempfile.TemporaryDirectory() as scratch:
    for names in itertools.permutations(["train", "eval", "calibration"]):
        written = {"ratios": {name: {"train": 4}.get(name, 1) for name in names}}
        sent = json_format.MessageToDict(to_protobuf_value(written))
        for given in (sent, json.loads(json.dumps(sent, sort_keys=True))):
            out = Path(scratch) / "out"
            manifest = ingest(Source(uri=sys.argv[1]), parse(Split, given, "split"), "", out)
            found.append([manifest.model_dump(mode="json", exclude={"sources"}),
                          {name: pq.read_table(out / name)["id"].to_pylist() for name in manifest.splits}])
print(json.dumps(found))
"""


def test_all_orders_of_three_ratios_give_one_split(tmp_path: Path) -> None:
    """In fresh processes, through KFP's Struct (whose order is the process's own) and through sorted JSON."""
    pytest.importorskip("docstring_parser", reason="kfp's compiler, which makes the Struct, is not in the image")
    source = table(tmp_path, "SELECT i AS id FROM range(200) t(i)")
    found = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", INGESTS, source.uri], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found += json.loads(done.stdout)
    assert len(found) == 2 * 6 * 2
    assert all(json.dumps(one) == json.dumps(found[0]) for one in found), "orders count, too"
    points = {i: reference({"id": i}) / 2**64 for i in range(200)}
    ends = {"train": (0, 4 / 6), "eval": (4 / 6, 5 / 6), "calibration": (5 / 6, 1)}
    expected = {name: [i for i, point in points.items() if low <= point < high] for name, (low, high) in ends.items()}
    assert found[0][1] == expected


DAYS = "SELECT i AS id, TIMESTAMP '2026-01-01' + i * INTERVAL 1 DAY AS at FROM range(31) t(i)"


@pytest.mark.parametrize(
    ("time", "train", "evaluated"),
    [
        ({"at": "2026-01-11"}, range(10), range(10, 31)),
        ({"at": "2026-01-11T02:00:00+02:00", "gap": "2d"}, range(8), range(10, 31)),
        ({"last": "7d"}, range(24), range(24, 31)),
        ({"last": "P7D", "gap": "1d 12:00:00"}, range(22), range(24, 31)),
    ],
)
def test_by_time(tmp_path: Path, time: dict[str, str], train: range, evaluated: range) -> None:
    source = table(tmp_path, f"{DAYS} ORDER BY i * 17 % 31")
    split = Split.model_validate({"time": {"column": "at", **time}})
    assert Split.model_validate(split.model_dump(mode="json", exclude_none=True)) == split
    manifest = ingest(source, split, "", tmp_path / "out")
    assert keys(tmp_path / "out", "train") == set(train)
    assert keys(tmp_path / "out", "eval") == set(evaluated)
    assert manifest.left_out == 31 - len(train) - len(evaluated)
    assert manifest.rows_in == sum(facts.rows for facts in manifest.splits.values()) + manifest.left_out
    assert (manifest.duplicates, manifest.shared) == (0, 0)


def test_by_the_source(tmp_path: Path) -> None:
    select = "SELECT i % 90 AS id, ['TRAIN', 'TEST', 'dev'][1 + i % 3] AS fold FROM range(100) t(i)"
    names = {"TRAIN": "train", "TEST": "eval", "dev": "dev"}
    one = ingest(table(tmp_path, select), Split(column="fold", names=names), "", tmp_path / "out")
    assert {name: facts.rows for name, facts in one.splits.items()} == {"train": 34, "eval": 33, "dev": 33}
    assert one.columns == {"id": "int64"}
    assert one.duplicates == 10
    assert one.shared == 0, "90 is a multiple of 3: equal rows stand in one fold"
    moved = ingest(table(tmp_path / "m", select.replace("i % 3", "(i + 1) % 3")), Split(column="fold", names=names), "", tmp_path / "m" / "out")  # fmt: skip
    assert moved.content_id != one.content_id, "where a row stands is content"
    twins = table(tmp_path / "b", "SELECT i // 2 AS id, ['a', 'b'][1 + i % 2] AS fold FROM range(20) t(i)")
    both = ingest(twins, Split(column="fold"), "", tmp_path / "b" / "out")
    assert (list(both.splits), both.shared) == (["a", "b"], 10)


def test_a_row_that_no_split_takes_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("id,fold,at\n1,train,2026-01-01\n2,,2026-01-02\n3,other,\n4,eval,2026-01-04\n")
    source = Source.model_validate({"uri": str(tmp_path / "d.csv"), "quarantine": {"max_fraction": 0.5}})
    ingest(source, Split(column="fold", names={"train": "train", "eval": "eval"}), "", tmp_path / "out")
    causes = pq.read_table(tmp_path / "out" / "quarantine")["cause"].to_pylist()
    assert causes == [
        "column 'fold' is empty, and the split goes by it",
        "column 'fold' is none of eval, train, and the split goes by it",
    ]
    by_time = Split.model_validate({"time": {"column": "at", "at": "2026-01-03"}})
    assert ingest(source, by_time, "", tmp_path / "out").quarantined == 1


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"time": {"column": "at"}}, "give one of `at`"),
        ({"time": {"column": "at", "at": "2026-01-01", "last": "1d"}}, "give one of `at`"),
        ({"time": {"column": "at", "last": "1d"}, "column": "fold"}, "not by both"),
        ({"time": {"column": "at", "last": "1d"}, "keys": ["id"]}, "divide by hash"),
        ({"names": {"a": "b"}}, "`names` goes with `column`"),
        ({"column": "fold", "names": {"a": "../b"}}, "split names are folder names"),
    ],
)
def test_splits_that_mean_nothing_are_refused(split: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Split.model_validate(split)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"time": {"column": "id", "last": "1d"}}, "'id' is no column of times"),
        ({"time": {"column": "when", "last": "1d"}}, "the split's column 'when' is not a column"),
        ({"time": {"column": "at", "last": "100d"}}, "the split 'train' got no rows"),
        ({"time": {"column": "at", "at": "2030-01-01"}}, "the split 'eval' got no rows"),
        ({"column": "id"}, "'id' is no column of texts"),
    ],
)
def test_splits_that_the_data_cannot_have_are_told(tmp_path: Path, split: dict[str, Any], message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        ingest(table(tmp_path, DAYS), Split.model_validate(split), "", tmp_path / "out")


def test_rows_that_no_other_equals_are_counted_where_many_repeat(tmp_path: Path) -> None:
    """Twice 0 to 49, and once 50 to 59."""
    from sluice.gates.data.evidence import Repetition

    pq.write_table(pa.table({"x": [*range(50), *range(60)]}), tmp_path / "d.parquet")
    many = ingest(Source(uri=str(tmp_path / "d.parquet")), Split(), "", tmp_path / "many")
    assert (many.duplicates, many.single) == (50, 10)
    assert many.repetition == Repetition(rows=110, distinct=60, single=10)
    pq.write_table(pa.table({"x": [*range(5), *range(95)]}), tmp_path / "d.parquet")
    few = ingest(Source(uri=str(tmp_path / "d.parquet")), Split(), "", tmp_path / "few")
    assert (few.duplicates, few.single) == (5, None)
    assert few.repetition == Repetition(rows=100, distinct=95, single=90)
