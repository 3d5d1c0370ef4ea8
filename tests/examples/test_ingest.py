"""Ingest: formats, manifest, errors in words, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.manifest import Manifest
from sluice.examples.source import Source
from sluice.examples.split import Split

ROWS = "SELECT i AS id, i / 3.0 AS x, 'n' || i AS name, i % 2 = 0 AS even FROM range(500) t(i)"


@pytest.mark.parametrize(
    ("name", "options"),
    [("d.parquet", ""), ("d.csv", "(HEADER)"), ("d.csv.gz", "(HEADER)"), ("d.jsonl", "(FORMAT json)")],
)
def test_formats_hold_the_same_rows(tmp_path: Path, name: str, options: str) -> None:
    duckdb.sql(f"COPY ({ROWS}) TO '{tmp_path / name}' {options}")
    manifest = ingest(Source(uri=str(tmp_path / name)), Split(), "", tmp_path / "out", label="even")
    assert manifest.columns == {"id": "int64", "x": "double", "name": "string", "even": "bool"}
    assert manifest.rows_in == 500 == sum(facts.rows for facts in manifest.splits.values()) + manifest.quarantined
    assert Manifest.load(tmp_path / "out") == manifest
    rows = sorted(
        row["id"] for split in manifest.splits for row in Examples.load(tmp_path / "out").table(split).to_pylist()
    )
    assert rows == list(range(500))


def test_two_ingests_of_the_same_data_have_the_same_digest_and_bytes(tmp_path: Path) -> None:
    duckdb.sql(f"COPY ({ROWS}) TO '{tmp_path / 'd.parquet'}'")
    source = Source(uri=str(tmp_path / "d.parquet"))
    one, two = (ingest(source, Split(), "", tmp_path / out) for out in ("one", "two"))
    assert one == two
    for file in ("train/part-00000.parquet", "eval/part-00000.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_one_changed_value_changes_the_digest(tmp_path: Path) -> None:
    duckdb.sql(f"COPY ({ROWS}) TO '{tmp_path / 'a.parquet'}'")
    duckdb.sql(
        f"COPY (SELECT * REPLACE (CASE id WHEN 7 THEN 0.5 ELSE x END AS x) FROM ({ROWS})) TO '{tmp_path / 'b.parquet'}'"
    )
    digests = {ingest(Source(uri=str(tmp_path / f"{n}.parquet")), Split(), "", tmp_path / n).digest for n in "ab"}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("uri", "split", "label", "message"),
    [
        ("missing.parquet", Split(), None, "no such file"),
        ("d.dat", Split(), None, "cannot tell the format"),
        ("d.parquet", Split(), "nope", "the label 'nope' is not a column"),
        ("d.parquet", Split(keys=["who"]), None, "the split key 'who' is not a column"),
        ("one.parquet", Split(), None, "the split '(train|eval)' got no rows"),
        ("broken.parquet", Split(), None, "broken.parquet"),
        ("nested.parquet", Split(), None, "no column has a type that examples hold"),
        ("nested.parquet", Split(), "items", r"'items' has a type that examples cannot hold \(INTEGER\[\]\)"),
    ],
)
def test_mistakes_are_told_in_words(tmp_path: Path, uri: str, split: Split, label: str | None, message: str) -> None:
    duckdb.sql(f"COPY ({ROWS}) TO '{tmp_path / 'd.parquet'}'")
    duckdb.sql(f"COPY ({ROWS} LIMIT 1) TO '{tmp_path / 'one.parquet'}'")
    duckdb.sql(f"COPY (SELECT [1, 2] AS items) TO '{tmp_path / 'nested.parquet'}' ")
    (tmp_path / "d.dat").write_text("?")
    (tmp_path / "broken.parquet").write_text("not parquet")
    with pytest.raises(SluiceError, match=message):
        ingest(Source(uri=str(tmp_path / uri)), split, "", tmp_path / "out", label=label)
    assert not (tmp_path / "out").exists()


def test_what_an_interrupted_ingest_left_is_not_taken_for_data(tmp_path: Path) -> None:
    (tmp_path / "out.partial" / "train").mkdir(parents=True)
    with pytest.raises(SluiceError, match=r"examples\.json is missing"):
        Examples.load(tmp_path / "out.partial")
    duckdb.sql(f"COPY ({ROWS}) TO '{tmp_path / 'd.parquet'}'")
    ingest(Source(uri=str(tmp_path / "d.parquet")), Split(), "", tmp_path / "out")
    assert not (tmp_path / "out.partial").exists()


def test_a_split_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    duckdb.sql(f"COPY ({ROWS}) TO '{tmp_path / 'd.parquet'}'")
    ingest(Source(uri=str(tmp_path / "d.parquet")), Split(), "", tmp_path / "out")
    with pytest.raises(SluiceError, match=r"the split 'test' does not exist\n  splits: train \(\d+ rows\), eval"):
        Examples.load(tmp_path / "out").table("test")
