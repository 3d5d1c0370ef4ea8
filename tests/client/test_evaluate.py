"""`sluice evaluate` on files of predictions, and `sluice waive`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from sluice import digest

SLUICE = str(Path(sys.executable).with_name("sluice"))
POLICY = {
    "rules": [{"metric": "auc", "at_least": 0.6}, {"metric": "auc", "non_inferior_by": 0.02}], "slices": [["side"]], "resamples": 200,
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Predictions of the same 4,000 rows: good, as good, bad, and of other rows."""
    rows = "SELECT i AS id, i % 4 = 0 AND i % 3 != 1 AS hit, i % 5 AS side, (i * 7919 % 1000) / 1000.0 AS u FROM range(4000) t(i)"
    for name, score in {"good": "0.5 * u + 0.3 * hit::INT", "same": "0.5 * u + 0.3 * hit::INT", "bad": "u"}.items():
        duckdb.sql(
            f"COPY (SELECT id, hit::INT AS label, side, {score} AS prediction FROM ({rows})) TO '{tmp_path / name}.parquet'"
        )
    duckdb.sql(
        f"COPY (SELECT id + 1 AS id, hit::INT AS label, side, u AS prediction FROM ({rows})) TO '{tmp_path / 'other'}.csv' (HEADER)"
    )
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SLUICE, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def evaluate(folder: Path, candidate: str, baseline: str, *more: str) -> subprocess.CompletedProcess[str]:
    return run(
        folder, "evaluate", "--candidate", candidate, "--baseline", baseline, "--label", "label", "--key", "id",
        "--policy", "policy.yaml", "--out", "out", *more,
    )  # fmt: skip


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("candidate", "baseline", "status", "word"),
    [
        ("good.parquet", "bad.parquet", 0, "BLESSED"),
        ("bad.parquet", "good.parquet", 3, "NOT_BLESSED"),
        ("good.parquet", "same.parquet", 3, "nothing to push"),
    ],
)
def test_exit_status_is_the_verdict(files: Path, candidate: str, baseline: str, status: int, word: str) -> None:
    done = evaluate(files, candidate, baseline)
    assert done.returncode == status, done.stderr
    assert word in " ".join(done.stdout.split())
    assert (files / "out" / "report.html").exists()


@pytest.mark.usefixtures("warm")
def test_json(files: Path) -> None:
    verdict: dict[str, Any] = json.loads(evaluate(files, "good.parquet", "bad.parquet", "--json").stdout)
    assert (verdict["status"], verdict["baseline"]) == ("BLESSED", 0)
    named = digest.of_file(files / "good.parquet")
    assert verdict["splits"] == {"predictions": {"rows": 4000, "digest": named}}
    assert verdict["subjects"]["predictions"] == named


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("good.parquet", "other.csv"), "the two files hold different rows"),
        (("nowhere.parquet", "bad.parquet"), "cannot be read"),
        (("good.parquet", "bad.parquet", "--label", "outcome"), "the column 'outcome' is missing"),
        (("good.parquet", "bad.parquet", "--key", "side"), "names rows twice"),
    ],
)
def test_mistakes(files: Path, arguments: tuple[str, ...], message: str) -> None:
    done = evaluate(files, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_tfma_s_eval_config_is_taken_as_it_is(files: Path) -> None:
    (files / "policy.pbtxt").write_text(
        'model_specs { label_key: "label" } slicing_specs {} metrics_specs { metrics { class_name: "AUC" threshold { '
        "value_threshold { lower_bound { value: 0.6 } } change_threshold { direction: HIGHER_IS_BETTER absolute { value: -0.01 } } } } }"
    )
    done = run(
        files,
        "evaluate",
        "--candidate",
        "good.parquet",
        "--baseline",
        "bad.parquet",
        "--label",
        "label",
        "--key",
        "id",
        "--policy",
        "policy.pbtxt",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert {"at_least", "non_inferior_by"} <= {reason["rule"] for reason in json.loads(done.stdout)["reasons"]}


def test_waive_signs_what_the_gate_takes(tmp_path: Path) -> None:
    from sluice.gates.model.waiver import Waiver

    given = (
        "waive",
        "--model",
        "sha256:" + "a" * 64,
        "--rule",
        "bootstrap",
        "--reason",
        "first model, seen by the board",
        "--by",
        "ann",
        "--key",
        "ann.pem",
    )
    done = run(tmp_path, *given, "--out", "waivers/1.json")
    assert done.returncode == 0, done.stderr
    public = done.stdout.split()[-1]
    waiver = Waiver.model_validate_json((tmp_path / "waivers" / "1.json").read_text())
    from datetime import UTC, datetime

    assert waiver.objection([public], datetime.now(UTC)) == ""
    assert waiver.objection([], datetime.now(UTC)) == "no key of the policy's waiver_keys signed it"
    assert (tmp_path / "ann.pem").stat().st_mode & 0o77 == 0
    again = run(tmp_path, *given, "--out", "waivers/2.json")
    assert again.stdout.split()[-1] == public
    refused = run(tmp_path, *given[:-2], "--key", "waivers/1.json", "--out", "x.json")
    assert "not an unencrypted private key" in refused.stderr
    short = run(tmp_path, *given[:6], "short", *given[7:], "--out", "x.json")
    assert "reason: String should have at least 10 characters" in short.stderr
