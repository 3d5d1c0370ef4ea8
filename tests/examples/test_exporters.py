"""Files as other programs write them by default, named after the program: right values, or one sentence that says why not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split
from tests.examples.test_formats import tfrecord

NOON = datetime(2024, 7, 1, 12)


@dataclass(frozen=True)
class Odd:
    """A file, how it is read, and what comes of it.

    Attributes:
        name: the file's, or a glob of it.
        data: its bytes; or writes it, given its folder.
        rows: what is stored; None where it is refused.
        says: of the refusal, or of a warning.
        source: keys of the source.
        quarantined: rows.
    """

    name: str
    data: bytes | Callable[[Path], object]
    rows: list[dict[str, Any]] | None
    says: str = ""
    source: dict[str, Any] = field(default_factory=dict)
    quarantined: int = 0


def parquet(name: str, columns: Any, **options: Any) -> Callable[[Path], object]:
    made = columns if isinstance(columns, pa.Table) else pa.table(columns)
    return lambda folder: pq.write_table(made, folder / name, **options)


def avro(
    name: str, fields: list[dict[str, Any]], rows: list[dict[str, Any]], **options: Any
) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            fastavro.writer(
                file, {"type": "record", "name": "Row", "namespace": "org.acme", "fields": fields}, rows, **options
            )

    return write


def files(**named: bytes) -> Callable[[Path], object]:
    """Several files, whose names have ``_dot_`` and ``_dash_`` for signs that a keyword does not take."""
    return lambda folder: [
        (folder / name.replace("_dot_", ".").replace("_dash_", "-")).write_bytes(data) for name, data in named.items()
    ]


def databricks(folder: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="the extra delta is not installed")
    deltalake.write_deltalake(folder / "databricks.parquet", pa.table({"id": [1]}))


def excel_utf16() -> bytes:
    return "id\tcity\n1\tKöln\n".encode("utf-16")


CSV = [
    Odd("pandas-index.csv", b",id\n0,5\n1,6\n", [{"column0": 0, "id": 5}, {"column0": 1, "id": 6}]),
    Odd("pandas-inf.csv", b"x,y\n1.5,inf\n,-inf\n3.0,0.1\n", [
        {"x": 1.5, "y": float("inf")}, {"x": None, "y": float("-inf")}, {"x": 3.0, "y": 0.1}]),
    Odd("pandas-bool.csv", b"id,late\n1,True\n2,False\n", [{"id": 1, "late": True}, {"id": 2, "late": False}]),
    Odd("r-write.csv", b'"","x","late"\n"1",NA,TRUE\n"2",2.5,FALSE\n', [
        {"column0": 1, "x": None, "late": True}, {"column0": 2, "x": 2.5, "late": False}], source={"csv": {"null": "NA"}}),
    Odd("r-missing-not-told.csv", b"x\nNA\n2.5\n", [{"x": "NA"}, {"x": "2.5"}]),
    Odd("survey-several-missing.csv", b"x,y\nNA,1\n-,2\nn/a,3\n4,4\n", [
        {"x": None, "y": 1}, {"x": None, "y": 2}, {"x": None, "y": 3}, {"x": 4, "y": 4}], source={"csv": {"null": ["NA", "-", "n/a"]}}),
    Odd("sas-dot.csv", b"x\n.\n2\n", [{"x": None}, {"x": 2}], source={"csv": {"null": "."}}),
    Odd("excel-bom.csv", b"\xef\xbb\xbfid;x\r\n1;2\r\n", [{"id": 1, "x": 2}]),
    Odd("excel-german.csv", b"id;preis\n1;1.234,50\n2;7,25\n", [{"id": 1, "preis": 1234.5}, {"id": 2, "preis": 7.25}],
        source={"csv": {"decimal": ",", "thousands": "."}}),
    Odd("excel-german-not-told.csv", b"id;preis\n1;1.234,50\n2;7,25\n", [{"id": 1, "preis": "1.234,50"}, {"id": 2, "preis": "7,25"}]),
    Odd("accounting-thousands.csv", b'n,x\n"1,234",5\n"2,345,678",6\n', [{"n": 1234, "x": 5}, {"n": 2345678, "x": 6}],
        source={"csv": {"thousands": ","}}),
    Odd("excel-unicode-text.tsv", excel_utf16(), [{"id": 1, "city": "Köln"}], source={"csv": {"encoding": "utf-16"}}),
    Odd("excel-us-dates.csv", b"day\n01/02/2024\n03/04/2024\n", [{"day": "01/02/2024"}, {"day": "03/04/2024"}]),
    Odd("excel-german-dates.csv", b"day\n01.02.2024\n", [{"day": "01.02.2024"}]),
    Odd("excel-no-last-newline.csv", b"id,x\r\n1,2", [{"id": 1, "x": 2}]),
    Odd("excel-mac.csv", b"id,x\r1,2\r3,4\r", [{"id": 1, "x": 2}, {"id": 3, "x": 4}]),
    Odd("sap-trailing-delimiter.csv", b"id;x;\n1;2;\n", [{"id": 1, "x": 2, "column2": None}]),
    Odd("git-log.csv", b"commit,n\n12e4567,1\n1234567,2\n", [{"commit": "12e4567", "n": 1}, {"commit": "1234567", "n": 2}]),
    Odd("hex-ids.csv", b"id\n1e5\n2e7\n", [{"id": "1e5"}, {"id": "2e7"}]),
    Odd("c-printf.csv", b"x\n1.5e+05\n2e-07\n", [{"x": 150000.0}, {"x": 2e-07}]),
    Odd("twitter-ids.csv", b"id\n1234567890123456789\n", [{"id": 1234567890123456789}]),
    Odd("farmhash-ids.csv", b"id\n12345678901234567890\n7\n", [{"id": "12345678901234567890"}, {"id": "7"}]),
    Odd("crm-phones.csv", b"phone\n+15551234567\n", [{"phone": "+15551234567"}]),
    Odd("census-codes.csv", b"fips\n01001\n48201\n", [{"fips": "01001"}, {"fips": "48201"}]),
    Odd("versions.csv", b"version\n1.10\n1.2.3\n", [{"version": "1.10"}, {"version": "1.2.3"}]),
    Odd("mysql-outfile.tsv", b"1\t\\N\n2\tb\n", [{"id": 1, "s": None}, {"id": 2, "s": "b"}],
        source={"csv": {"header": False, "names": ["id", "s"], "null": "\\N"}}),
    Odd("spark-quotes.csv", b'id,s\n1,"say \\"no\\", twice"\n', [{"id": 1, "s": 'say "no", twice'}], source={"csv": {"escape": "\\"}}),
    Odd("bigquery-export.csv", b"id,at\n1,2024-07-01 12:00:00 UTC\n2,2024-07-01 12:00:00.25 UTC\n", [
        {"id": 1, "at": NOON}, {"id": 2, "at": NOON.replace(microsecond=250000)}]),
    Odd("postgresql-copy.csv", b"at,ok\n2024-07-01 14:00:00+02,t\n", [{"at": NOON, "ok": "t"}]),
    Odd("javascript-toisostring.csv", b"at\n2024-07-01T12:00:00.000Z\n", [{"at": NOON}]),
    Odd("go-rfc3339nano.csv", b"at\n2024-07-01T14:00:00.123456789+02:00\n", [{"at": NOON.replace(microsecond=123456)}]),
    Odd("station-preamble.csv", b"Station 7\nm above sea: 12\nid,x\n1,2\n", [{"id": 1, "x": 2}], source={"csv": {"skip": 2}}),
    Odd("hash-rows.csv", b"tag,n\n#1,2\n3,4\n", [{"tag": "#1", "n": 2}, {"tag": "3", "n": 4}]),
    Odd("gnuplot-comments.csv", b"tag,n\n# note\n3,4\n", [{"tag": 3, "n": 4}], source={"csv": {"comment": "#"}}),
    Odd("forms-line-breaks.csv", b'id,s\n1,"two\nlines"\n', [{"id": 1, "s": "two\nlines"}]),
    Odd("bgzip-members.csv.gz", gzip.compress(b"id\n1\n") + gzip.compress(b"2\n"), [{"id": 1}, {"id": 2}]),
    Odd("duplicate-header.csv", b"x,x\n1,2\n", None, "column 'x' is there twice"),
    Odd("case-header.csv", b"Id,id\n1,2\n", None, "columns 'Id' and 'id' differ in case alone"),
    Odd("rotated-*.csv", files(rotated_dash_1_dot_csv=b"id,x\n1,2\n", rotated_dash_2_dot_csv=b"x,id\n4,3\n"), [{"id": 1, "x": 2}, {"id": 3, "x": 4}]),
    Odd("renamed-*.csv", files(renamed_dash_1_dot_csv=b"Id\n1\n", renamed_dash_2_dot_csv=b"id\n2\n"), None, "differ in case alone"),
    Odd("spark-empty-parts-*.csv", files(**{"spark-empty-parts-0_dot_csv": b"", "spark-empty-parts-1_dot_csv": b"id\n1\n"}), [{"id": 1}]),
]  # fmt: skip
JSON = [
    Odd("log-blank-end.jsonl", b'{"id":1}\r\n{"id":2}\r\n', [{"id": 1}, {"id": 2}]),
    Odd("python-nan.jsonl", b'{"x": NaN, "y": 1}\n{"x": 2.5, "y": Infinity}\n', [{"x": float("nan"), "y": 1.0}, {"x": 2.5, "y": float("inf")}]),
    Odd("twitter-api.jsonl", b'{"id": 1234567890123456789, "id_str": "1234567890123456789"}\n', [
        {"id": 1234567890123456789, "id_str": "1234567890123456789"}]),
    Odd("bigquery-export.json", b'{"n": "5", "at": "2024-07-01 12:00:00 UTC"}\n{"n": "6"}\n', [
        {"n": "5", "at": NOON}, {"n": "6", "at": None}]),
    Odd("bigquery-export-told.json", b'{"n": "5"}\n', [{"n": 5}], source={"types": {"n": "int64"}}),
    Odd("mongoexport.json", b'{"_id":{"$oid":"65f0"},"n":1}\n', [{"_id": "65f0", "n": 1}], source={"columns": {"_id": "_id.$oid", "n": "n"}}),
    Odd("javascript-array.json", json.dumps([{"a": True, "b": {"c": [1]}}], indent=2).encode(), [{"a": True}], "'b' is left out"),
    Odd("json-key-twice.jsonl", b'{"a": 1}\n{"a": 1, "a": 2}\n', [{"a": 1}], quarantined=1),
    Odd("json-case.jsonl", b'{"a": 1, "A": 2}\n', None, "differ in case alone"),
    Odd("json-no-name.jsonl", b'{"": 1}\n', None, "has no name"),
    Odd("hash-ids.jsonl", b'{"id": 12345678901234567890}\n', [{"id": "12345678901234567890"}]),
    Odd("one-object.json", b'{"data": [{"a": 1}]}', None, "no column has a type that examples hold"),
    Odd("later-keys-*.jsonl", files(**{"later-keys-1_dot_jsonl": b'{"a": 1}\n', "later-keys-2_dot_jsonl": b'{"a": 0.5, "b": 2}\n'}), [
        {"a": 1.0, "b": None}, {"a": 0.5, "b": 2}]),
]  # fmt: skip
BINARY = [
    Odd("pandas-index.parquet", parquet("pandas-index.parquet", {"id": [1], "__index_level_0__": [7]}), [{"id": 1, "__index_level_0__": 7}]),
    Odd("pandas-nanoseconds.parquet", parquet("pandas-nanoseconds.parquet", {"at": pa.array([NOON], pa.timestamp("ns", "UTC"))}), [{"at": NOON}]),
    Odd("pandas-timedelta.parquet", parquet("pandas-timedelta.parquet", {"id": [1], "d": pa.array([timedelta(1)])}), [
        {"id": 1, "d": 86_400_000_000}]),
    Odd("spark-int96.parquet", parquet("spark-int96.parquet", {"at": pa.array([NOON])}, use_deprecated_int96_timestamps=True), [{"at": NOON}]),
    Odd("spark-decimal.parquet", parquet("spark-decimal.parquet", {"x": pa.array([Decimal("0.333333333333333333")], pa.decimal128(38, 18))}), [
        {"x": 0.3333333333333333}]),
    Odd("oracle-number.parquet", parquet("oracle-number.parquet", {"id": pa.array([Decimal(7), Decimal(10**20)], pa.decimal128(38, 0))}), [
        {"id": "7"}, {"id": "1" + "0" * 20}]),
    Odd("oracle-short-number.parquet", parquet("oracle-short-number.parquet", {"id": pa.array([Decimal(7)], pa.decimal128(38, 0))}), [{"id": 7}]),
    Odd("farmhash.parquet", parquet("farmhash.parquet", {"h": pa.array([2**64 - 1], pa.uint64())}), [{"h": str(2**64 - 1)}]),
    Odd("farmhash-as-number.parquet", parquet("farmhash-as-number.parquet", {"h": pa.array([2**64 - 1], pa.uint64())}), None,
        "more digits than int64 holds", source={"types": {"h": "int64"}, "quarantine": {"max_fraction": 0}}),
    Odd("numpy-half.parquet", parquet("numpy-half.parquet", {"x": pa.array([1.5], pa.float16())}), [{"x": 1.5}]),
    Odd("impala-strings.parquet", parquet("impala-strings.parquet", {"s": pa.array([b"gr\xc3\xb6\xc3\x9fe", b"\xff", b"a"], pa.binary())}), [
        {"s": "größe"}, {"s": "a"}], quarantined=1),
    Odd("duplicate.parquet", parquet("duplicate.parquet", pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])), None, "'a' is there twice"),
    Odd("case.parquet", parquet("case.parquet", pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "A"])), None, "differ in case alone"),
    *(Odd(f"{codec}.parquet", parquet(f"{codec}.parquet", {"id": [1]}, compression=codec), [{"id": 1}])
      for codec in ("snappy", "gzip", "brotli", "zstd", "lz4")),
    *(Odd(f"{codec}.orc", lambda folder, codec=codec: orc.write_table(pa.table({"_col0": [1]}), str(folder / f"{codec}.orc"), compression=codec),
          [{"_col0": 1}]) for codec in ("zlib", "snappy", "zstd", "lz4")),
    Odd("flume-null-last.avro", avro("flume-null-last.avro", [{"name": "a", "type": ["int", "null"]}], [{"a": 1}, {"a": None}]), [{"a": 1}, {"a": None}]),
    Odd("confluent-named.avro", avro("confluent-named.avro", [
        {"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["x", "y"]}}, {"name": "b", "type": ["null", "org.acme.E"]}],
        [{"a": "x", "b": "y"}]), [{"a": "x", "b": "y"}]),
    Odd("nifi-union.avro", avro("nifi-union.avro", [{"name": "a", "type": "long"}, {"name": "b", "type": ["null", "long", "string"]}],
                                [{"a": 1, "b": "x"}]), [{"a": 1}], "'b' is left out: examples hold no union of null, long, string"),
    Odd("sqoop-decimal.avro", avro("sqoop-decimal.avro", [
        {"name": "a", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}}], [{"a": Decimal("12.50")}]), [{"a": 12.5}]),
    Odd("tensorflow.tfrecord-*", files(**{f"tensorflow_dot_tfrecord-0000{n}-of-00002": tfrecord([{"id": n}]) for n in (0, 1)}), [{"id": 0}, {"id": 1}]),
    Odd("tfds-train-00000-of-00001", tfrecord([{"id": 7}]), [{"id": 7}]),
    Odd("spark-00000-of-00001", parquet("spark-00000-of-00001", {"id": [3]}), [{"id": 3}]),
    Odd("unknown-00000-of-00001", b"id\n1\n", None, "cannot tell the format of a name without a suffix"),
    Odd("databricks.parquet", databricks, [{"id": 1}]),
]  # fmt: skip


@pytest.mark.parametrize("odd", [*CSV, *JSON, *BINARY], ids=lambda odd: odd.name)
def test_a_file_is_read_or_refused_in_one_sentence(tmp_path: Path, odd: Odd) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    if isinstance(odd.data, bytes):
        (folder / odd.name).write_bytes(odd.data)
    else:
        odd.data(folder)
    source = Source.model_validate({"uri": f"{folder}/{odd.name}", "quarantine": {"max_fraction": 1}, **odd.source})
    if odd.rows is None:
        with pytest.raises(SluiceError, match=odd.says) as error:
            ingest(source, Split(ratios={"train": 1.0}), "", tmp_path / "out")
        assert error.value.remedy
        return
    manifest = ingest(source, Split(ratios={"train": 1.0}), "", tmp_path / "out")
    stored = Examples.load(tmp_path / "out").table("train").to_pylist()
    assert repr(stored) == repr(odd.rows)
    assert manifest.quarantined == odd.quarantined
    if odd.says:
        assert any(odd.says in warning for warning in manifest.warnings)
