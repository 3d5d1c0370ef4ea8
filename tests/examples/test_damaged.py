"""Files that are cut, flipped, empty or of something else: the error names the file that was open, first or later."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pytest
from pyarrow import orc

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split
from tests.examples.test_formats import tfrecord

ROWS: list[dict[str, Any]] = [{"id": i, "x": i / 4, "name": f"name {i * 7919 % 1000}"} for i in range(3000)]
AVRO = {"type": "record", "name": "Row", "fields": [
    {"name": "id", "type": "long"}, {"name": "x", "type": "double"}, {"name": "name", "type": "string"},
]}  # fmt: skip
FORMATS = [
    "csv.gz",
    "csv.zst",
    "jsonl.gz",
    "jsonl.zst",
    "json",
    "json.gz",
    "parquet",
    "orc",
    "avro",
    "tfrecord",
    "tfrecord.gz",
]
"""Those in which damage is the file's: of text as it stands, a cut line is a row of its own."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Name of a format to a file of it."""
    folder, table = tmp_path_factory.mktemp("whole"), pa.Table.from_pylist(ROWS)
    with duckdb.connect() as database:
        database.register("rows", table)
        for name, how in {
            "csv": "FORMAT csv", "csv.gz": "FORMAT csv, COMPRESSION gzip", "csv.zst": "FORMAT csv, COMPRESSION zstd",
            "jsonl": "FORMAT json", "jsonl.gz": "FORMAT json, COMPRESSION gzip", "jsonl.zst": "FORMAT json, COMPRESSION zstd",
            "json": "FORMAT json, ARRAY true", "json.gz": "FORMAT json, ARRAY true, COMPRESSION gzip", "parquet": "FORMAT parquet",
        }.items():  # fmt: skip
            database.execute(f"COPY rows TO '{folder}/d.{name}' ({how})")
    orc.write_table(table, folder / "d.orc")
    with (folder / "d.avro").open("wb") as handle:
        fastavro.writer(handle, AVRO, ROWS, codec="deflate")
    (folder / "d.tfrecord").write_bytes(tfrecord(ROWS))
    (folder / "d.tfrecord.gz").write_bytes(gzip.compress(tfrecord(ROWS)))
    return {path.name.removeprefix("d."): path.read_bytes() for path in folder.iterdir()}


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    ingest(Source(uri=f"{folder}/*.{name}"), Split(ratios={"train": 1.0}), "", folder / "out")
    return Examples.load(folder / "out").table("train").to_pylist()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("damage", ["cut", "cut short", "foreign", "foreign bytes"])
def test_a_damaged_file_is_named(whole: dict[str, bytes], tmp_path: Path, name: str, later: bool, damage: str) -> None:
    data = whole[name]
    damaged = {
        "cut": data[: len(data) * 2 // 3], "cut short": data[:20], "foreign": b"<html><body>404 Not Found</body></html>\n",
        "foreign bytes": random.Random(5).randbytes(3000),
    }[damage]  # fmt: skip
    good, bad = ("a", "b") if later else ("b", "a")
    (tmp_path / f"{good}.{name}").write_bytes(data)
    (tmp_path / f"{bad}.{name}").write_bytes(damaged)
    with pytest.raises(SluiceError) as error:
        read(tmp_path, name)
    assert f"{bad}.{name}" in error.value.where, str(error.value)
    assert error.value.remedy
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [*FORMATS, "csv", "jsonl"])
def test_flipped_bits_are_an_error_in_words_or_rows(whole: dict[str, bytes], tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    for number in range(4):
        data = bytearray(whole[name])
        for _ in range(1 + number % 3):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (tmp_path / f"a.{name}").write_bytes(whole[name])
        (tmp_path / f"b.{name}").write_bytes(data)
        try:
            read(tmp_path, name)
        except SluiceError as error:
            text = str(error)
            assert f"b.{name}" in text or "rows do not parse" in text or "column" in text, text
            assert "Traceback" not in text
