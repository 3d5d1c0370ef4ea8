"""Small files as other programs write them (`cases/`), each after a public bug report or an exporter's habit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split

if TYPE_CHECKING:
    import pyarrow as pa

    from sluice.examples.manifest import Manifest

CASES = Path(__file__).parent / "cases"
ALL = Split(ratios={"train": 1.0})


def read(folder: Path, uri: str | Path, **given: Any) -> tuple[Manifest, pa.Table]:
    source = Source(uri=str(uri if isinstance(uri, Path) else CASES / uri), quarantine={"max_fraction": 1.0}, **given)
    manifest = ingest(source, ALL, "", folder / "out")
    return manifest, Examples.load(folder / "out").table("train")


@pytest.mark.parametrize("names", [("a.parquet", "b.parquet"), ("b.parquet", "a.parquet")])
def test_parts_of_two_types_become_the_wider_and_a_new_column_is_kept(tmp_path: Path, names: tuple[str, str]) -> None:
    for case, name in zip(("01-parts-a.parquet", "01-parts-b.parquet"), names, strict=True):
        shutil.copy(CASES / case, tmp_path / name)
    manifest, table = read(tmp_path, tmp_path / "*.parquet")
    assert manifest.columns == {"id": "int64", "dose": "double", "extra": "int64"}
    rows = {row["id"]: row for row in table.to_pylist()}
    assert [rows[i]["dose"] for i in (0, 1, 20, 21)] == [0.0, 1.0, 0.5, 1.5]
    assert [rows[i]["extra"] for i in (0, 19, 20, 21)] == [None, None, 0, 1]
    lacking, having = (tmp_path / name for name in names)
    assert manifest.warnings == [f"column 'extra' is in {having}, and not in {lacking}: its values are missing there"]
    with pytest.raises(SluiceError, match=rf"column 'extra' is in {having}, and not in {lacking}\n"):
        read(tmp_path, tmp_path / "*.parquet", missing_columns="refuse")


def test_the_content_is_the_same_whichever_part_comes_first(tmp_path: Path) -> None:
    contents = set()
    for names in (("a", "b"), ("b", "a")):
        folder = tmp_path / "".join(names)
        folder.mkdir()
        for case, name in zip(("01-parts-a.parquet", "01-parts-b.parquet"), names, strict=True):
            shutil.copy(CASES / case, folder / f"{name}.parquet")
        contents.add(read(folder, folder / "*.parquet")[0].content_id)
    assert len(contents) == 1
    assert None not in contents


def test_postal_codes_with_a_leading_zero_are_text(tmp_path: Path) -> None:
    manifest, table = read(tmp_path, "03-two-readers.csv")
    assert manifest.columns == {"zip": "string", "km": "double", "ok": "string"}
    assert "08271" in table["zip"].to_pylist()


def test_a_header_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"04-duplicate-header.csv: column 'x' is there twice"):
        read(tmp_path, "04-duplicate-header.csv")


def test_whole_decimals_keep_every_digit(tmp_path: Path) -> None:
    manifest, table = read(tmp_path, "06-decimal-ids.parquet")
    assert manifest.columns["account"] == "int64"
    assert sorted(table["account"].to_pylist())[0] == 9007199254740993


def test_a_size_is_no_date(tmp_path: Path) -> None:
    manifest, table = read(tmp_path, "07-size-codes.jsonl")
    assert manifest.columns["size"] == "string"
    assert table["size"].to_pylist()[:3] == ["1-1-1", "2-2-2", "3-3-3"]


def test_brands_that_are_called_like_times_are_text(tmp_path: Path) -> None:
    manifest, table = read(tmp_path, "07b-epoch-infinity.jsonl")
    assert manifest.columns["brand"] == "string"
    assert set(table["brand"].to_pylist()) == {"epoch", "infinity"}


def test_a_cut_avro_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"09b-cut.avro: not Avro, cut or damaged: Expected 336 bytes, read 322"):
        read(tmp_path, "09b-cut.avro")


def test_parts_of_avro_widen_as_those_of_parquet(tmp_path: Path) -> None:
    manifest, table = read(tmp_path, "09c-parts-*.avro")
    assert manifest.columns == {"id": "int64", "v": "double"}
    assert 0.5 in table["v"].to_pylist()
    assert len(table) == manifest.rows_in


def test_parts_that_do_not_agree_are_both_named(tmp_path: Path) -> None:
    shutil.copy(CASES / "09c-parts-a.avro", tmp_path / "a.avro")
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "id", "type": "long"}, {"name": "v", "type": "string"}],
    }
    with (tmp_path / "b.avro").open("wb") as file:
        fastavro.writer(file, schema, [{"id": 1, "v": "x"}])
    with pytest.raises(SluiceError, match=r"column 'v' is int64 in \S+a.avro, and string in \S+b.avro"):
        read(tmp_path, tmp_path / "*.avro")


@pytest.mark.parametrize(
    ("file", "value"), [("10-enum-twice.avro", {"v": "A", "w": "B"}), ("10b-hive-varchar.avro", {"v": "abc"})]
)
def test_valid_avro_is_read(tmp_path: Path, file: str, value: dict[str, str]) -> None:
    rows = read(tmp_path, file)[1].to_pylist()
    assert {key: rows[0][key] for key in value} == value


@pytest.mark.parametrize("types", [{}, {"v": "string"}])
def test_binary_that_is_utf8_is_text(tmp_path: Path, types: dict[str, str]) -> None:
    manifest, table = read(tmp_path, "11-binary-text.parquet", types=types)
    assert manifest.columns["v"] == "string"
    assert "größe" in table["v"].to_pylist()
