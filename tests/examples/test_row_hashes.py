"""Rows keep their side in every window, and what a champion was trained on can be counted."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from sluice.errors import SluiceError
from sluice.examples import row_hashes
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.source import Source
from sluice.examples.split import Split
from sluice.promotion.resolve import resolve

np = pytest.importorskip("numpy", reason="the image of ingest has no numpy; evaluate, which counts, runs in another")

ROWS = """SELECT i AS id, i % 40 AS customer, i / 7 AS amount, 'text ' || i % 11 AS note, i % 3 = 0 AS flag,
    TIMESTAMP '2026-01-01' + i * INTERVAL 1 HOUR AS at"""
ODD = "SELECT CASE WHEN i % 5 THEN i / 3 WHEN i % 10 THEN 'nan'::DOUBLE ELSE -0.0 END AS x, CASE WHEN i % 7 THEN 'ä' || i END AS t, i AS id"


def examples(folder: Path, select: str, split: Split | None = None, span: str = "") -> Examples:
    """What ingest makes of a query over the number i; where it names spans, of files of 100 rows each, one a span."""
    folder.mkdir(parents=True, exist_ok=True)
    if span:
        for number in range(1, 7):
            (folder / "data").mkdir(exist_ok=True)
            low = 100 * number
            duckdb.sql(f"COPY ({select} FROM range({low}, {low + 100}) t(i)) TO '{folder}/data/{number}.parquet'")
        source = Source(uri=f"{folder}/data/{{SPAN}}.parquet")
    else:
        duckdb.sql(f"COPY ({select} FROM range(600) t(i)) TO '{folder}/data.parquet'")
        source = Source(uri=f"{folder}/data.parquet")
    ingest(source, split or Split(), span, folder / "examples")
    return Examples.load(folder / "examples")


def statistics(made: Examples, folder: Path) -> Path:
    row_hashes.keep(made, folder)
    return folder


def ids(made: Examples, split: str) -> set[int]:
    return set(made.table(split, ["id"]).column("id").to_pylist())


@pytest.mark.parametrize("keys", [[], ["customer"], ["id"]])
def test_rows_keep_their_side_over_consecutive_windows(tmp_path: Path, keys: list[str]) -> None:
    """Three spans a window, each window one further: no row that one trains on is evaluated by a later one."""
    weights = {"train": 4.0, "eval": 1.0, "test": 1.0}
    windows = []
    for first, names in zip(range(1, 5), itertools.permutations(weights), strict=False):
        split = Split(ratios={name: weights[name] for name in names}, keys=keys)
        windows.append(examples(tmp_path / str(first), ROWS, split, f"{first}-{first + 2}"))
    for number, later in enumerate(windows):
        for earlier in windows[:number]:
            both = (ids(earlier, "train") | ids(earlier, "eval") | ids(earlier, "test")) & (
                ids(later, "train") | ids(later, "eval") | ids(later, "test")
            )
            for split in weights:
                assert ids(earlier, split) & both == ids(later, split) & both
            kept = statistics(earlier, tmp_path / f"{number}-{len(both)}")
            seen = row_hashes.count(later, "eval", kept)
            assert (seen.trained_on, seen.rows, seen.why) == (0, len(ids(later, "eval")), "")
            assert row_hashes.count(later, "train", kept).trained_on == len(ids(earlier, "train") & ids(later, "train"))
        if number in (1, 2):
            assert row_hashes.count(later, "train", kept).trained_on, "these windows overlap"


@pytest.mark.parametrize("select", [ROWS, ODD])
def test_every_row_is_found_again_whatever_it_holds(tmp_path: Path, select: str) -> None:
    made = examples(tmp_path, select)
    kept = statistics(made, tmp_path / "kept")
    assert row_hashes.count(made, "train", kept).trained_on == len(ids(made, "train"))
    assert row_hashes.count(made, "eval", kept).trained_on == 0
    words = np.fromfile(kept / "row_hashes" / "train.u64", "<u8")
    assert (np.diff(words.astype(object)) > 0).all(), "ascending, each once"
    assert len(words) == len(ids(made, "train"))


def test_repeated_rows_take_eight_bytes_and_count_each_time(tmp_path: Path) -> None:
    made = examples(
        tmp_path, "SELECT i % 10 AS id, CASE WHEN i % 3 THEN 'train' ELSE 'eval' END AS fold", Split(column="fold")
    )
    kept = statistics(made, tmp_path / "kept")
    assert (kept / "row_hashes" / "train.u64").stat().st_size == 80
    assert row_hashes.count(made, "eval", kept).trained_on == 200, "each of the 200 stands in train, too"


def test_another_split_is_counted_and_told(tmp_path: Path) -> None:
    champion = examples(tmp_path / "a", ROWS, Split(ratios={"train": 1, "eval": 1}, keys=["customer"]))
    made = examples(tmp_path / "b", ROWS)
    seen = row_hashes.count(made, "eval", statistics(champion, tmp_path / "kept"))
    assert seen.trained_on == len(ids(champion, "train") & ids(made, "eval")) > 0
    assert seen.why == (
        "its rows were divided by the hash of customer: train [0, 0.5), eval [0.5, 1), "
        "these by the hash of the whole row: train [0, 0.8), eval [0.8, 1)"
    )


def test_a_champion_of_an_earlier_release_is_recognised(tmp_path: Path) -> None:
    made = examples(tmp_path, ROWS)
    (tmp_path / "statistics" / "train").mkdir(parents=True)
    seen = row_hashes.count(made, "eval", tmp_path / "statistics")
    assert (seen.trained_on, seen.champion_split) == (None, None)
    assert "kept no hashes of its training rows, and whose splits could change places" in seen.why
    assert "were not given" in row_hashes.count(made, "eval", None).why


def test_the_champion_of_a_frozen_ledger_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that f727216 wrote, whose splits went by the order in which the ratios arrived."""
    shutil.copytree(Path(__file__).parents[1] / "compatibility" / "f727216", tmp_path / "frozen")
    monkeypatch.chdir(tmp_path / "frozen")
    out = {f"{name}_out": tmp_path / name for name in ("model", "statistics", "schema")}
    assert resolve("ledger", **out)
    seen = row_hashes.count(examples(tmp_path / "new", ROWS), "eval", out["statistics_out"])
    assert (seen.trained_on, seen.why) == (None, row_hashes.OLD)


def without_hashes(made: Examples) -> Examples:
    return Examples(made.folder, made.manifest.model_copy(update={"row_hashes": None}))


def test_examples_without_hashes_leave_none(tmp_path: Path) -> None:
    row_hashes.keep(without_hashes(examples(tmp_path, ROWS)), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ("i AS id, i % 7 AS x", "i AS id, i % 7 AS x, i % 5 AS new", ""),
        ("i AS id, i % 7 AS x", "i AS id", "its rows had the column 'x', and these do not"),
        ("i AS id, i % 7 AS x", "i AS id, (i % 7)::DOUBLE AS x", "the column 'x' was int64 then, and is double now"),
    ],
)
def test_columns_that_changed(tmp_path: Path, then: str, now: str, expected: str) -> None:
    champion, made = (
        examples(tmp_path / "a", f"SELECT {then}", Split(keys=["id"])),
        examples(tmp_path / "b", f"SELECT {now}", Split(keys=["id"])),
    )
    seen = row_hashes.count(made, "train", statistics(champion, tmp_path / "kept"))
    assert (seen.trained_on, seen.why) == (None if expected else len(ids(made, "train")), expected)


def test_a_new_column_moves_rows_that_no_key_holds(tmp_path: Path) -> None:
    """The hash of the whole row is another one then; the count shows it, as it goes by the champion's columns."""
    for keys, moved in (["id"], False), ([], True):
        split, folder = Split(keys=keys), tmp_path / str(moved)
        kept = statistics(examples(folder / "a", ROWS, split), folder / "kept")
        seen = row_hashes.count(examples(folder / "b", f"{ROWS}, i % 5 AS new", split), "eval", kept)
        assert bool(seen.trained_on) is moved


def changed(kept: Path, **facts: Any) -> None:
    file = kept / "row_hashes" / "row_hashes.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **facts}))


def test_another_version_of_the_hash_is_not_compared(tmp_path: Path) -> None:
    made = examples(tmp_path, ROWS)
    kept = statistics(made, tmp_path / "kept")
    changed(kept, hash_version=1)
    assert "hashed by version 1" in row_hashes.count(made, "eval", kept).why


def test_facts_of_a_later_release_are_refused(tmp_path: Path) -> None:
    made = examples(tmp_path, ROWS)
    kept = statistics(made, tmp_path / "kept")
    changed(kept, format=2, release="9.9")
    with pytest.raises(SluiceError, match=r"written by sluice 9\.9"):
        row_hashes.count(made, "eval", kept)
    (kept / "row_hashes" / "row_hashes.json").write_text("{")
    with pytest.raises(SluiceError, match="the facts about the row hashes cannot be read"):
        row_hashes.count(made, "eval", kept)


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    made = examples(tmp_path, ROWS)
    kept = statistics(made, tmp_path / "kept")
    file = kept / "row_hashes" / "train.u64"
    file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    with pytest.raises(SluiceError, match="was changed after it was written"):
        row_hashes.count(made, "eval", kept)
    shutil.copyfile(file, made.folder / "row_hashes" / "train.u64")
    with pytest.raises(SluiceError, match="was changed after it was written"):
        statistics(made, tmp_path / "again")


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (
            {"time": {"column": "at", "at": "2026-01-11", "gap": "1d"}},
            "the time at, from 2026-01-11T00:00:00 evaluated, a gap of P1D",
        ),
        ({"time": {"column": "at", "last": "7d"}}, "the time at, the last P7D evaluated"),
        ({"ratios": {"eval": 1, "train": 3}, "keys": ["id"]}, "the hash of id: train [0, 0.75), eval [0.75, 1)"),
    ],
)
def test_splits_in_words(tmp_path: Path, split: dict[str, Any], words: str) -> None:
    made = examples(tmp_path, ROWS, Split.model_validate(split))
    assert row_hashes.described(made.manifest).startswith(words)
    facts = json.loads((statistics(made, tmp_path / "kept") / "row_hashes" / "row_hashes.json").read_text())
    assert (
        facts["columns"]
        == made.manifest.columns
        == {field.name: str(field.type) for field in pq.read_schema(made.files("train")[0])}
    )
    assert facts["file"]["rows"] <= math.ceil(facts["file"]["bytes"] / 8)
