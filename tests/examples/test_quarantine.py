"""Quarantine: rows in are rows out and rows put aside, always; past the limit the first ten are shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.examples.ingest import ingest
from sluice.examples.source import Quarantine, Source
from sluice.examples.split import Split

ALL = Split(ratios={"train": 1.0})
ANY = Quarantine(max_fraction=1.0)


def aside(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(out / "quarantine" / "part-00000.parquet").to_pylist()
    return found


def test_csv_rows_that_do_not_parse_are_put_aside_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text("id,x\n1,0.5\n2,zero\n1.5,1\n3\n4,1,2\n5,2.5\n")
    source = Source(uri=str(file), types={"id": "int64", "x": "double"}, quarantine=ANY)
    manifest = ingest(source, ALL, "", tmp_path / "out")
    assert (manifest.rows_in, manifest.quarantined, manifest.splits["train"].rows) == (6, 4, 2)
    found = aside(tmp_path / "out")
    assert [row["line"] for row in found] == [3, 4, 5, 6]
    assert {row["source"] for row in found} == {str(file)}
    assert found[0]["cause"] == "column 'x' is not double"
    assert found[1]["cause"] == "column 'id' is not int64"
    assert [row["text"] for row in found[2:]] == ["3", "4,1,2"]


def test_json_lines_that_do_not_parse_are_put_aside_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text('{"id":1}\n{"id":2\n[3]\n{"id":"four"}\n{"id":null}\n')
    manifest = ingest(Source(uri=str(file), types={"id": "int64"}, quarantine=ANY), ALL, "", tmp_path / "out")
    assert (manifest.rows_in, manifest.quarantined) == (5, 3)
    assert [(row["line"], row["cause"], row["text"]) for row in aside(tmp_path / "out")] == [
        (2, "not JSON", '{"id":2'),
        (3, "not an object", "[3]"),
        (4, "column 'id' is not int64", '{"id":"four"}'),
    ]


def test_a_key_that_comes_too_late_is_not_dropped(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"id":1}\n' * 25_000 + '{"id":2,"late":3}\n')
    ingest(Source(uri=str(tmp_path / "d.jsonl")), ALL, "", tmp_path / "out")
    assert [(row["line"], row["cause"]) for row in aside(tmp_path / "out")] == [
        (25_001, "a key that the first lines do not have")
    ]


def test_a_fraction_is_not_rounded_into_a_whole_number(tmp_path: Path) -> None:
    duckdb.sql(f"COPY (SELECT 1.0::DOUBLE AS x UNION ALL SELECT 1.5) TO '{tmp_path / 'd.parquet'}'")
    source = Source(uri=str(tmp_path / "d.parquet"), types={"x": "int64"}, quarantine=ANY)
    ingest(source, ALL, "", tmp_path / "out")
    assert Examples.load(tmp_path / "out").table("train")["x"].to_pylist() == [1]
    assert json.loads(aside(tmp_path / "out")[0]["text"]) == {"x": 1.5}


@pytest.mark.parametrize(("limits", "passes"), [
    (Quarantine(max_rows=12, max_fraction=0.5), True),
    (Quarantine(max_rows=11, max_fraction=0.5), False),
    (Quarantine(max_rows=12, max_fraction=0.11), False),
])  # fmt: skip
def test_past_a_limit_the_first_ten_are_shown(tmp_path: Path, limits: Quarantine, passes: bool) -> None:
    (tmp_path / "d.csv").write_text(
        "id\n" + "".join(f"{i}\n" for i in range(88)) + "".join(f"bad{i}\n" for i in range(12))
    )
    source = Source(uri=str(tmp_path / "d.csv"), types={"id": "int64"}, quarantine=limits)
    if passes:
        assert ingest(source, ALL, "", tmp_path / "out").quarantined == 12
        return
    with pytest.raises(SluiceError, match=r"12 of 100 rows do not parse") as error:
        ingest(source, ALL, "", tmp_path / "out")
    assert [f'bad{i}"' in str(error.value) for i in range(12)] == [True] * 10 + [False] * 2
    assert not (tmp_path / "out").exists()


FIELD = st.one_of(
    st.integers(-9, 9).map(str), st.sampled_from(["1.5", "1e3", "x", "", '"a"', '"a,b"', '"', "é", " 7", 'a"b'])
)
LINE = st.lists(FIELD, min_size=1, max_size=4).map(",".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, max_size=12))
def test_rows_in_are_rows_out_and_rows_put_aside(lines: list[str]) -> None:
    """No line holds a line break, and none is blank: as many rows as lines, wherever they end up."""
    lines = ["1,2,good", *(line for line in lines if line.strip())]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "d.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
        types: Any = {"a": "int64", "b": "double", "c": "string"}
        source = Source(uri=str(folder / "d.csv"), csv={"quote": ""}, types=types, quarantine=ANY)  # type: ignore[arg-type]
        manifest = ingest(source, ALL, "", folder / "out")
        out = Examples.load(folder / "out").table("train").num_rows
        put_aside = len(aside(folder / "out")) if manifest.quarantined else 0
        assert manifest.rows_in == len(lines) == out + put_aside
        assert (out, put_aside) == (manifest.splits["train"].rows, manifest.quarantined)


VALUE = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.booleans())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.fixed_dictionaries({"a": VALUE, "b": VALUE}).map(json.dumps), st.just("{"), st.just("7")),
        max_size=12,
    )
)
def test_json_lines_in_are_rows_out_and_rows_put_aside(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "d.jsonl").write_text("\n".join(['{"a": 1, "b": "x"}', *lines]) + "\n")
        source = Source(uri=str(folder / "d.jsonl"), types={"a": "int64", "b": "string"}, quarantine=ANY)
        manifest = ingest(source, ALL, "", folder / "out")
        assert manifest.rows_in == len(lines) + 1 == manifest.splits["train"].rows + manifest.quarantined
        good = [json.loads(line) for line in lines if line.startswith("{") and line != "{"]
        missing = sum(row["a"] is None for row in good)
        assert Examples.load(folder / "out").table("train")["a"].null_count == missing, "no value became NULL"


def test_a_killed_ingest_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    duckdb.sql(f"COPY (SELECT i AS id, i / 3 AS x FROM range(300000) t(i)) TO '{tmp_path / 'd.csv'}'")
    code = (
        "import os, signal, sys; from pathlib import Path; from sluice.examples import divide, ingest as it, manifest, quarantine, "
        "source, split, write; module, _, name = sys.argv[1].rpartition('.'); owner = eval(module); done = getattr(owner, name); "
        "setattr(owner, name, lambda *a, **k: (done(*a, **k), os.kill(os.getpid(), signal.SIGKILL))); "
        "it.ingest(source.Source(uri='d.csv'), split.Split(), '', Path('out'))"
    )
    for step in ("it.open_source", "write.Splits.add", "write.Content.place", "quarantine.collect", "write.Splits.close",
                 "write.Content.facts", "manifest.Manifest.save"):  # fmt: skip
        killed = subprocess.run(
            [sys.executable, "-c", code, step], cwd=tmp_path, check=False, capture_output=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not (tmp_path / "out").exists()
        if step != "manifest.Manifest.save":
            with pytest.raises(SluiceError, match=r"examples\.json is missing"):
                Examples.load(tmp_path / "out.partial")
    assert ingest(Source(uri=str(tmp_path / "d.csv")), Split(), "", tmp_path / "out").rows_in == 300_000
    assert not (tmp_path / "out.partial").exists()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"train", "eval", "examples.json", "row_hashes"}


def test_the_content_id_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    for folder, names in (("one", "ab"), ("two", "ba")):
        (tmp_path / folder).mkdir()
        for part, name in enumerate(names):
            low = 0 if part == 0 else 100
            duckdb.sql(f"COPY (SELECT i AS id FROM range({low}, {low + 100}) t(i)) TO '{tmp_path / folder / name}.csv'")
    one, two = (
        ingest(Source(uri=str(tmp_path / f / "*.csv")), Split(), "", tmp_path / f / "out") for f in ("one", "two")
    )
    assert one.content_id == two.content_id
    assert one.splits["train"].rows == two.splits["train"].rows


def test_lines_are_those_of_each_file(tmp_path: Path) -> None:
    """Rows put aside by the reader, and by their types, in several files and batches."""
    for name, bad in (
        ("a", {3: "x,1", 7: "only"}),
        ("b", {2: "only", 3: "only", 4: "x,1", 90_000: "y,1", 90_001: "1,2,3"}),
    ):
        (tmp_path / f"{name}.csv").write_text(
            "id,n\n" + "".join(bad.get(line, f"{line},1") + "\n" for line in range(2, 100_000))
        )
    source = Source.model_validate(
        {"uri": str(tmp_path / "*.csv"), "types": {"id": "int64"}, "quarantine": {"max_fraction": 1}}
    )
    manifest = ingest(source, ALL, "", tmp_path / "out")
    found = [(Path(row["source"]).stem, row["line"], row["text"][:4]) for row in aside(tmp_path / "out")]
    assert [(name, line) for name, line, _ in found] == [
        ("a", 3), ("a", 7), ("b", 2), ("b", 3), ("b", 4), ("b", 90_000), ("b", 90_001)
    ]  # fmt: skip
    assert [file.rows for file in manifest.sources] == [99_998, 99_998]
    assert manifest.rows_in == 2 * 99_998
