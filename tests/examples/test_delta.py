"""Delta Lake tables: versions and moments, here and in a store; values, errors, memory."""

from __future__ import annotations

import math
import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.manifest import Manifest
from sluice.examples.source import Source
from sluice.examples.split import Split

deltalake = pytest.importorskip("deltalake", reason="the extra delta is not installed")

ALL = Split(ratios={"train": 1.0})


def rows(*ids: int) -> pa.Table:
    return pa.table({"id": list(ids), "part": [f"p{i % 2}" for i in ids]})


def read(uri: str, folder: Path, **given: Any) -> tuple[Manifest, list[int]]:
    manifest = ingest(Source(uri=uri, **given), ALL, "", folder / "out")
    return manifest, sorted(Examples.load(folder / "out").table("train")["id"].to_pylist())


@pytest.fixture(params=["local", "s3", "gcs", "azure"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A table of three versions: 0, 1, 2; then 3, 4; then all but 0."""
    uri = str(tmp_path / "table") if request.param == "local" else f"{request.getfixturevalue(request.param)}/a/table"
    made, local = str(tmp_path / "made"), request.param == "local"
    target = uri if local else made
    deltalake.write_deltalake(target, rows(0, 1, 2), partition_by=["part"])
    deltalake.write_deltalake(target, rows(3, 4), mode="append")
    deltalake.DeltaTable(target).delete("id = 0")
    if not local:
        from sluice.storage import Store

        Store.at(uri).upload(Path(made), "")
    return uri


def test_versions(table: str, tmp_path: Path) -> None:
    for given, version, ids in (
        ({}, "2", [1, 2, 3, 4]), ({"version": 0}, "0", [0, 1, 2]), ({"version": 1, "format": "delta"}, "1", [0, 1, 2, 3, 4]),
    ):  # fmt: skip
        manifest, found = read(table, tmp_path, **given)
        assert (manifest.version, found) == (version, ids)
        assert [source.uri for source in manifest.sources] == [table]
        assert manifest.columns == {"id": "int64", "part": "string"}
    with pytest.raises(SluiceError, match="cannot open the table"):
        read(table, tmp_path, version=9)


def test_moments(tmp_path: Path) -> None:
    uri = str(tmp_path / "table")
    for ids in ((0, 1), (2, 3)):
        deltalake.write_deltalake(uri, rows(*ids), mode="append")
    second, first = (
        datetime.fromtimestamp(each["timestamp"] / 1000, UTC) for each in deltalake.DeltaTable(uri).history()
    )
    assert read(uri, tmp_path, timestamp=second)[1] == [0, 1, 2, 3]
    assert read(uri, tmp_path, timestamp=first)[1] == [0, 1]
    assert read(uri, tmp_path, timestamp=datetime.now(UTC) + timedelta(days=1))[0].version == "1"
    with pytest.raises(SluiceError, match="no version yet"):
        read(uri, tmp_path, timestamp=first - timedelta(seconds=1))


def test_values_come_through(tmp_path: Path) -> None:
    when = datetime(2024, 1, 2, 8, tzinfo=UTC)
    table = pa.table({
        "id": [1, 2], "f": [math.nan, None], "n": pa.array([Decimal("12.34"), None], pa.decimal128(10, 2)),
        "whole": pa.array([Decimal(2**53 + 1), None], pa.decimal128(20, 0)), "b": [True, None], "s": ["", None],
        "d": pa.array([date(2024, 1, 2), None]), "tz": pa.array([when, None], pa.timestamp("us", "UTC")),
        "ts": pa.array([when.replace(tzinfo=None), None], pa.timestamp("us")),
    })  # fmt: skip
    deltalake.write_deltalake(str(tmp_path / "table"), table)
    read(str(tmp_path / "table"), tmp_path)
    first, second = sorted(Examples.load(tmp_path / "out").table("train").to_pylist(), key=lambda row: row["id"])
    assert math.isnan(first.pop("f"))
    naive = when.replace(tzinfo=None)
    assert first == {
        "id": 1, "n": 12.34, "whole": 2**53 + 1, "b": True, "s": "", "d": datetime(2024, 1, 2), "tz": naive, "ts": naive,
    }  # fmt: skip
    assert set(second.values()) == {2, None}


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    uri = tmp_path / "table"
    deltalake.write_deltalake(str(uri), rows(0, 1))
    for file in uri.glob("*.parquet"):
        file.unlink()
    with pytest.raises(SluiceError, match="cannot read the table"):
        read(str(uri), tmp_path)
    assert not (tmp_path / "out").exists()


def test_what_is_no_table(tmp_path: Path, s3: str) -> None:
    (tmp_path / "table").mkdir()
    for uri in (str(tmp_path / "table"), f"{s3}/table"):
        with pytest.raises(SluiceError, match=r"cannot tell the format|no such file"):
            read(uri, tmp_path)
        with pytest.raises(SluiceError, match=r"no such file|cannot open the table"):
            read(uri, tmp_path, format="delta")


def test_the_extra_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deltalake.write_deltalake(str(tmp_path / "table"), rows(0, 1))
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(SluiceError, match="needs the extra 'delta'") as caught:
        read(str(tmp_path / "table"), tmp_path)
    assert "kfp-sluice[delta]" in caught.value.remedy


def test_a_query_over_a_table(tmp_path: Path) -> None:
    deltalake.write_deltalake(str(tmp_path / "table"), rows(*range(9)), partition_by=["part"])
    manifest, ids = read(str(tmp_path / "table"), tmp_path, query="SELECT id FROM source WHERE part = 'p1'")
    assert (manifest.version, ids) == ("0", [1, 3, 5, 7])
    shutil.rmtree(tmp_path / "table")
