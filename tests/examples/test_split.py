"""Splits: stable, proportional, by key, whatever the order and the files."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split


def table(folder: Path, select: str, name: str = "data.parquet") -> Source:
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet)")
    return Source(uri=str(folder / name))


def keys(folder: Path, split: str, column: str = "id") -> set[object]:
    return set(pq.read_table(folder / split, columns=[column]).column(column).to_pylist())


def test_fixed_vectors(tmp_path: Path) -> None:
    """The split of these rows is part of the contract: it may change with HASH_VERSION only."""
    source = table(
        tmp_path,
        "SELECT * FROM (VALUES (1, 'a', 1.5, true), (2, 'b', NULL, false), (3, 'ü', -0.25, NULL), (4, '', 1e10, true), "
        "(5, NULL, 0.1, true), (6, 'f', 2.0, false), (7, 'g', 3.25, true), (8, 'h', 4.0, false)) t(id, text, number, flag)",
    )
    ingest(source, Split(ratios={"train": 1, "eval": 1}), "", tmp_path / "out")
    texts = [
        "1\x1fa\x1f1.5\x1ftrue", "2\x1fb\x1f\0\x1ffalse", "3\x1fü\x1f-0.25\x1f\0", "4\x1f\x1f10000000000.0\x1ftrue",
        "5\x1f\0\x1f0.1\x1ftrue", "6\x1ff\x1f2.0\x1ffalse", "7\x1fg\x1f3.25\x1ftrue", "8\x1fh\x1f4.0\x1ffalse",
    ]  # fmt: skip
    points = [int(hashlib.md5(text.encode()).hexdigest()[:15], 16) / 2**60 for text in texts]  # noqa: S324
    train = {number for number, point in enumerate(points, start=1) if point < 0.5}
    assert train == {1, 2, 3, 4, 7, 8}
    assert keys(tmp_path / "out", "train") == train
    assert keys(tmp_path / "out", "eval") == set(range(1, 9)) - train


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
    assert first.digest == second.digest
    for split in ("train", "eval"):
        assert keys(tmp_path / "first", split) == keys(tmp_path / "second", split)


@pytest.mark.parametrize("ratios", [{}, {"train": 0}, {"train": -1, "eval": 2}, {"a b": 1}])
def test_ratios_that_mean_nothing_are_refused(ratios: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Split(ratios=ratios)
