"""The data of a command: read as the pipeline reads it, in the dialect of the use case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.client.data import examples
from sluice.errors import SluiceError
from sluice.examples.dataset import Examples

if TYPE_CHECKING:
    from pathlib import Path


def test_the_use_case_says_how_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("Ort|km\n" + "".join(f"Köln|1.00{i},5\n" for i in range(9)) + "NA|-\n", "latin-1")
    dialect = "{delimiter: '|', encoding: latin-1, decimal: ',', thousands: '.', 'null': [NA, '-']}"
    policy = tmp_path / "sluice.yaml"
    policy.write_text(
        f"source: {{uri: 'elsewhere/{{SPAN}}.csv', window: 3, csv: {dialect}, columns: {{place: Ort, km: km}}}}\n"
        "policies: {data: {}}\n"
    )
    stored = Examples.load(examples(str(tmp_path / "d.csv"), policy, None, tmp_path / "out"))
    assert stored.manifest.columns == {"place": "string", "km": "double"}
    rows = stored.table("train").to_pylist()
    assert (rows[3], rows[-1]) == ({"place": "Köln", "km": 1003.5}, {"place": None, "km": None})


def test_the_format_of_the_use_case_is_not_that_of_another_suffix(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"id": 1}\n{"id": \n')
    (tmp_path / "d.csv").write_text("id\n1\n")
    policy = tmp_path / "sluice.yaml"
    policy.write_text(
        "source: {uri: 'other.json', format: jsonl, quarantine: {max_fraction: 1}}\npolicies: {data: {}}\n"
    )
    lines = Examples.load(examples(str(tmp_path / "d.json"), policy, None, tmp_path / "lines")).manifest
    assert (lines.rows_in, lines.quarantined) == (2, 1)
    assert Examples.load(examples(str(tmp_path / "d.csv"), policy, None, tmp_path / "csv")).manifest.columns == {
        "id": "int64"
    }


def test_examples_are_taken_as_they_are_and_folders_and_globs_are_read(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number in (1, 2):
        (tmp_path / "parts" / f"{number}.csv").write_text(f"id\n{number}\n")
    (tmp_path / "parts" / "_SUCCESS").touch()
    made = examples(str(tmp_path / "parts"), None, None, tmp_path / "one")
    assert examples(str(made), None, None, tmp_path / "none") == made
    assert not (tmp_path / "none").exists()
    again = examples(str(tmp_path / "parts" / "*.csv"), None, None, tmp_path / "two")
    assert Examples.load(again).manifest.digest == Examples.load(made).manifest.digest


def test_a_schema_decides_over_text(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("id\n1\n")
    (tmp_path / "schema.pbtxt").write_text('feature { name: "id" type: BYTES }')
    made = examples(str(tmp_path / "d.csv"), None, tmp_path, tmp_path / "out")
    assert Examples.load(made).manifest.columns == {"id": "string"}
    with pytest.raises(SluiceError, match="no schema here"):
        examples(str(tmp_path / "d.csv"), None, tmp_path / "none", tmp_path / "out")


@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.avro", "d.orc", "d.tfrecord", "d.parquet"])
def test_a_file_of_something_else_is_one_message(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\x01Obj")
    with pytest.raises(SluiceError) as error:
        examples(str(tmp_path / name), None, None, tmp_path / "out")
    assert error.value.where == str(tmp_path / name)
    assert error.value.remedy
