"""Formats: every one holds the same rows; dialects, encodings and types are as declared."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any

import duckdb
import fastavro
import pyarrow as pa
import pytest
from pyarrow import orc

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.formats.tfrecord import masked, message
from sluice.examples.inference import MOST
from sluice.examples.ingest import ingest
from sluice.examples.source import Dialect, Source
from sluice.examples.split import Split

if TYPE_CHECKING:
    from pathlib import Path

ALL = Split(ratios={"train": 1.0})
ROWS: list[dict[str, Any]] = [{"id": i, "x": i / 4, "name": f"n{i}" if i % 5 else None} for i in range(100)]


def rows(folder: Path, source: Source) -> list[dict[str, Any]]:
    ingest(source, ALL, "", folder / "out")
    return sorted(Examples.load(folder / "out").table("train").to_pylist(), key=lambda row: row["id"])


def tfrecord(examples: list[dict[str, Any]]) -> bytes:
    """Frames of tf.Example; a list of values where a row holds one."""
    written = b""
    for row in examples:
        example = message("Example")()
        for name, value in row.items():
            feature = example.features.feature[name]
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, int):
                    feature.int64_list.value.append(item)
                elif isinstance(item, float):
                    feature.float_list.value.append(item)
                elif item is not None:
                    feature.bytes_list.value.append(item.encode() if isinstance(item, str) else item)
        body = example.SerializeToString()
        head = struct.pack("<Q", len(body))
        written += head + struct.pack("<I", masked(head)) + body + struct.pack("<I", masked(body))
    return written


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"])
def test_avro(tmp_path: Path, codec: str) -> None:
    fields = [
        {"name": "id", "type": "long"},
        {"name": "x", "type": "double"},
        {"name": "name", "type": ["null", "string"]},
    ]
    with (tmp_path / "d.avro").open("wb") as handle:
        fastavro.writer(handle, {"type": "record", "name": "Row", "fields": fields}, ROWS, codec=codec)
    assert rows(tmp_path, Source(uri=str(tmp_path / "d.avro"))) == ROWS


def test_orc(tmp_path: Path) -> None:
    orc.write_table(pa.Table.from_pylist(ROWS), tmp_path / "d.orc")
    assert rows(tmp_path, Source(uri=str(tmp_path / "d.orc"))) == ROWS


@pytest.mark.parametrize("name", ["d.tfrecord", "d.tfrecord.gz"])
def test_tfrecord(tmp_path: Path, name: str) -> None:
    data = tfrecord(ROWS)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert rows(tmp_path, Source(uri=str(tmp_path / name))) == ROWS


def test_the_checksum_is_that_of_tensorflow() -> None:
    # CRC32C of "123456789" is 0xE3069283 (RFC 3720).
    assert masked(b"123456789") == (((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def test_a_damaged_tfrecord_is_told(tmp_path: Path) -> None:
    data = bytearray(tfrecord(ROWS))
    data[-6] ^= 1
    (tmp_path / "d.tfrecord").write_bytes(data)
    with pytest.raises(SluiceError, match="record 100 is cut or damaged"):
        rows(tmp_path, Source(uri=str(tmp_path / "d.tfrecord")))


def test_a_feature_of_several_values_is_left_out_and_one_that_changes_is_told(tmp_path: Path) -> None:
    file = tmp_path / "d.tfrecord"
    file.write_bytes(tfrecord([{"id": 1, "tags": [1, 2]}]))
    manifest = ingest(Source(uri=str(file)), ALL, "", tmp_path / "out")
    assert manifest.columns == {"id": "int64"}
    assert manifest.warnings == ["column 'tags' is left out: examples hold no BIGINT[]"]
    late = [{"id": 1}] * MOST
    for row, what in (
        ({"id": [1, 2]}, "feature 'id' has 2 values, and one in the first records"),
        ({"id": 0.5}, "feature 'id' is a float_list, and another in the first records"),
        ({"other": 1}, "feature 'other' is not in the first records"),
    ):
        file.write_bytes(tfrecord([*late, row]))
        with pytest.raises(SluiceError, match=f"d.tfrecord, record {MOST + 1}: {what}"):
            ingest(Source(uri=str(file)), ALL, "", tmp_path / "out")


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_json_lines(tmp_path: Path, suffix: str) -> None:
    kind = {"": "none", ".gz": "gzip", ".zst": "zstd"}[suffix]
    duckdb.from_arrow(pa.Table.from_pylist(ROWS)).create_view("rows_written")
    file = tmp_path / f"d.jsonl{suffix}"
    duckdb.sql(f"COPY rows_written TO '{file}' (FORMAT json, COMPRESSION {kind})")
    assert rows(tmp_path, Source(uri=str(file))) == ROWS


@pytest.mark.parametrize(
    ("name", "text", "dialect"),
    [
        ("d.csv", 'id,x,name\n1,0.5,é\n2,,"a, b"\n', Dialect()),
        ("d.tsv", "id\tx\tname\n1\t0.5\té\n2\t\ta, b\n", Dialect()),
        ("d.csv", "id;x;name\n1;0.5;é\n2;NA;'a, b'\n", Dialect(delimiter=";", quote="'", null="NA")),
        ("d.csv", '1,0.5,é\n2,,"a, b"\n', Dialect(header=False, names=["id", "x", "name"])),
        ("d.csv", 'id,x,name\n1,0.5,é\n2,,"a, b"\n', Dialect(encoding="latin-1")),
        ("d.csv", 'id,x,name\n1,0.5,é\n2,,"a, b"\n', Dialect(encoding="utf-16")),
    ],
)
def test_dialects(tmp_path: Path, name: str, text: str, dialect: Dialect) -> None:
    (tmp_path / name).write_bytes(text.encode(dialect.encoding))
    assert rows(tmp_path, Source(uri=str(tmp_path / name), csv=dialect)) == [
        {"id": 1, "x": 0.5, "name": "é"},
        {"id": 2, "x": None, "name": "a, b"},
    ]


def test_types_are_as_told_and_the_rest_is_a_proposal(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("zip,id,at\n01234,1,2013-01-31\n00501,2,2013-02-01\n")
    source = Source(uri=str(tmp_path / "d.csv"), types={"zip": "string", "id": "double"})
    manifest = ingest(source, ALL, "", tmp_path / "out")
    assert manifest.columns == {"zip": "string", "id": "double", "at": "timestamp[us]"}
    assert manifest.inferred == ["at"]
    assert sorted(Examples.load(tmp_path / "out").table("train")["zip"].to_pylist()) == ["00501", "01234"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"types": {"nope": "int64"}}, "'nope' is not a column"),
        ({"csv": {"header": False}}, "without a header needs names"),
    ],
)
def test_mistakes_are_told_in_words(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    (tmp_path / "d.csv").write_text("id\n1\n")
    with pytest.raises(SluiceError, match=message):
        ingest(Source(uri=str(tmp_path / "d.csv"), **source), ALL, "", tmp_path / "out")


SCHEMA = """
feature { name: "zip" type: BYTES }
feature { name: "id" type: FLOAT }
feature { name: "at" type: BYTES }
feature { name: "other" type: INT }
"""


def test_types_come_from_the_schema_where_there_is_one(tmp_path: Path) -> None:
    """It has no type for times, which it knows as bytes: they stay a proposal. What is told goes before it."""
    (tmp_path / "d.csv").write_text("zip,id,at,n\n01234,1,2013-01-31,5\n00501,2,2013-02-01,6\n")
    source = Source(uri=str(tmp_path / "d.csv"), types={"n": "string"})
    manifest = ingest(source, ALL, "", tmp_path / "out", schema=SCHEMA)
    assert manifest.columns == {"zip": "string", "id": "double", "at": "timestamp[us]", "n": "string"}
    assert manifest.inferred == ["at"]
    duckdb.sql(f"COPY (SELECT 1 AS zip, 2 AS id) TO '{tmp_path / 'd.parquet'}'")
    own = ingest(Source(uri=str(tmp_path / "d.parquet")), ALL, "", tmp_path / "out", schema=SCHEMA)
    assert own.columns == {"zip": "int64", "id": "int64"}, "a format's own types stay: the data gate judges them"
    with pytest.raises(SluiceError, match="not a schema"):
        ingest(source, ALL, "", tmp_path / "out", schema="feature {")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no rows were read"), ("id,x\n", "no rows were read"), ("__cause,x\n1,2\n", "may not be called '__cause'")],
)
def test_files_without_rows_and_names_that_are_taken(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(SluiceError, match=message):
        ingest(Source(uri=str(tmp_path / "d.csv")), Split(), "", tmp_path / "out")
