"""`sluice validate` and `sluice schema` on files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from sluice.examples.manifest import Manifest
from sluice.statistics.artifact import load_schema

SLUICE = str(Path(sys.executable).with_name("sluice"))
POLICY = str(Path(__file__).parents[2] / "examples" / "flights" / "sluice.yaml")


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SLUICE, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, flights: Path) -> Path:
    """Two random halves of January; one half without a feature; one as CSV."""
    folder = tmp_path_factory.mktemp("files")
    january = f"SELECT * FROM '{flights / 'span-01.parquet'}'"
    half = "hash(scheduled_departure, flight, tailnum) % 2"
    for name, select in {
        "one": f"{january} WHERE {half} = 0", "two": f"{january} WHERE {half} = 1",
        "gone": f"SELECT * EXCLUDE (distance) FROM ({january}) WHERE {half} = 1",
        "renamed": f"SELECT * REPLACE (CASE carrier WHEN 'UA' THEN 'United' ELSE carrier END AS carrier) FROM ({january})",
    }.items():  # fmt: skip
        duckdb.sql(f"COPY ({select}) TO '{folder / name}.parquet'")
    duckdb.sql(f"COPY ({january} WHERE {half} = 1) TO '{folder / 'two.csv'}' (HEADER)")
    return folder


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("data", "status", "word"),
    [("two.parquet", 0, "BLESSED"), ("gone.parquet", 3, "distance"), ("renamed.parquet", 3, "carrier")],
)
def test_exit_status_is_the_verdict(files: Path, tmp_path: Path, data: str, status: int, word: str) -> None:
    done = run(files, "validate", data, "--against", "one.parquet", "--policy", POLICY, "--out", tmp_path / "out")
    assert done.returncode == status, done.stderr + done.stdout
    assert word in done.stdout
    assert (tmp_path / "out" / "report.html").exists()


def test_csv_and_json(files: Path) -> None:
    done = run(files, "validate", "two.csv", "--json", "--label", "late")
    verdict = json.loads(done.stdout)
    assert (verdict["gate"], verdict["bootstrap"]) == ("data", True)


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.parquet",), "no such file"),
        (("one.parquet", "--schema", "nowhere.pbtxt"), "no schema here"),
        (("one.parquet", "--policy", "one.csv"), "cannot be read"),
    ],
)
def test_mistakes(files: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(files, "validate", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


CASES = Path(__file__).parents[1] / "examples" / "cases"


def test_files_are_read_as_the_pipeline_reads_them(tmp_path: Path) -> None:
    """The schema that is inferred of a file takes that file, and says what ingest stores: a postal code is text."""
    case, schema = CASES / "03-two-readers.csv", tmp_path / "schema.pbtxt"
    assert run(tmp_path, "schema", "infer", case, schema).returncode == 0
    shown = json.loads(run(tmp_path, "validate", case, "--schema", schema, "--json", "--out", tmp_path / "out").stdout)
    assert not [reason for reason in shown["reasons"] if reason["rule"] == "schema" and reason["outcome"] == "failed"]
    stored = Manifest.load(tmp_path / "out" / "data")
    assert stored.columns == {"zip": "string", "km": "double", "ok": "string"}
    types = {feature.name: schema_pb2.FeatureType.Name(feature.type) for feature in load_schema(schema).feature}
    assert types == {"zip": "BYTES", "km": "FLOAT", "ok": "BYTES"}


@pytest.mark.usefixtures("warm")
def test_the_life_of_a_schema(files: Path, tmp_path: Path) -> None:
    """Infer, show, differ, accept one feature, relax another; and data judged by what stands then."""
    schema, new = tmp_path / "schema.pbtxt", tmp_path / "new.pbtxt"
    assert run(files, "schema", "infer", "one.parquet", schema, "--policy", POLICY).returncode == 0
    assert "there is a schema already" in run(files, "schema", "infer", "one.parquet", schema).stderr
    shown = run(files, "schema", "show", schema).stdout
    assert "EWR, JFK, LGA" in shown
    assert "SERVING" in next(line for line in shown.splitlines() if line.strip().startswith("late"))
    run(files, "schema", "infer", "renamed.parquet", new, "--policy", POLICY)
    differ = run(files, "schema", "diff", schema, new)
    assert differ.returncode == 3
    assert "carrier: values +United, -UA" in differ.stdout
    judged = ("validate", "renamed.parquet", "--schema", schema, "--policy", POLICY, "--json")
    refused = json.loads(run(files, *judged).stdout)
    assert any(r["subject"].startswith("carrier") for r in refused["reasons"] if r["outcome"] == "failed")
    printed = run(files, "schema", "accept", schema, new, "--feature", "carrier")
    assert "United" in printed.stdout
    assert "United" not in schema.read_text()
    assert run(files, "schema", "accept", schema, new, "--feature", "carrier", "--write").returncode == 0
    assert run(files, *judged).returncode == 0
    relaxed = run(
        files, "schema", "relax", schema, "--feature", "dest", "--domain-mass", "0.5", "--present", "0.4", "--write"
    )
    assert relaxed.returncode == 0, relaxed.stderr
    assert "dest: present: 0.95 → 0.4" in run(files, "schema", "diff", new, schema).stdout
    assert (
        "no feature 'price'" in run(files, "schema", "relax", schema, "--feature", "price", "--present", "0.5").stderr
    )
    assert "nothing to relax" in run(files, "schema", "relax", schema, "--feature", "dest").stderr
    assert run(files, "schema", "diff", schema, schema).returncode == 0


@pytest.mark.usefixtures("warm")
def test_statistics_of_another_framework_are_judged_as_they_are(tmp_path: Path) -> None:
    frozen = Path(__file__).parents[1] / "compatibility" / "f727216" / "run"
    given = (
        frozen / "validate" / "statistics" / "train" / "FeatureStats.pb",
        "--against",
        frozen / "resolve" / "statistics",
    )
    done = run(tmp_path, "validate", *given, "--schema", frozen / "validate" / "schema" / "schema.pbtxt", "--json")
    assert done.returncode == 0, done.stderr
    reasons = json.loads(done.stdout)["reasons"]
    assert any(reason["rule"] == "drift" and reason["subject"] == "carrier" for reason in reasons)
    assert any("is not compared: statistics of another framework" in reason["sentence"] for reason in reasons)
