"""Statistics and schemas as TFX and TFDV write them, with their own defaults, judged as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sluice.errors import SluiceError
from sluice.gates.verdict import Status, Verdict

pytestmark = pytest.mark.tf


def frame(seed: int, rows: int = 3000) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({
        "x": random.normal(size=rows), "city": random.choice(["Oslo", "Rome", "Lima"], rows), "label": random.integers(0, 2, rows),
    })  # fmt: skip


def write(file: Path, data: pd.DataFrame) -> Path:
    import tensorflow_data_validation as tfdv

    statistics = tfdv.generate_statistics_from_dataframe(data)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".pbtxt":
        tfdv.write_stats_text(statistics, str(file))
    else:
        file.write_bytes(statistics.SerializeToString())  # as TFX does
    return file


def validated(out: Path, *arguments: object) -> Verdict:
    from sluice.statistics.command import _validate

    _validate([*map(str, arguments), f"--out={out}"])
    return Verdict.load(out)


def failed(verdict: Verdict) -> set[tuple[str, str]]:
    return {(r.rule, r.subject) for r in verdict.reasons if r.closes}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As TFDV infers it by itself: shapes, and every value a known one."""
    import tensorflow_data_validation as tfdv

    file = tmp_path_factory.mktemp("schema") / "schema.pbtxt"
    tfdv.write_schema_text(tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(frame(0))), str(file))
    return file


@pytest.mark.parametrize("name", ["FeatureStats.pb", "stats.pbtxt"])
def test_a_file_is_held_against_a_schema_that_is_taken_literally(name: str, schema: Path, tmp_path: Path) -> None:
    good = validated(
        tmp_path / "out", f"--data={write(tmp_path / name, frame(1))}", f"--schema={schema}", "--label=label"
    )
    assert good.status is Status.BLESSED
    assert set(good.subjects) == {"statistics", "schema"}
    data = frame(2)
    data.loc[0, "city"] = "Bonn"  # one value of 3,000 is too much for it
    bad = validated(tmp_path / "bad", f"--data={write(tmp_path / name, data)}", f"--schema={schema}", "--label=label")
    assert failed(bad) == {("schema", "city @ train")}
    assert (tmp_path / "bad" / "report.html").is_file()


def test_the_folder_of_an_artifact_has_splits_and_a_baseline(tmp_path: Path) -> None:
    for name, seeds in {"then": (3, 4), "now": (5, 6)}.items():
        for split, seed in zip(("train", "eval"), seeds, strict=True):
            data = frame(seed)
            if name == "now":
                data["city"] = data["city"].where(data["city"] != "Rome", "Lima")
            write(tmp_path / name / f"Split-{split}" / "FeatureStats.pb", data)
    verdict = validated(
        tmp_path / "out", f"--data={tmp_path / 'now'}", f"--against={tmp_path / 'then'}", "--label=label"
    )
    assert failed(verdict) == {("drift", "city")}
    assert {r.subject for r in verdict.reasons if r.rule == "min_rows"} == {"train", "eval"}
    told = {r.subject: r.severity for r in verdict.reasons if r.rule == "drift" and r.outcome == "inconclusive"}
    assert told == {"x": "warning", "label": "warning"}


@pytest.mark.parametrize("content", [b"\xff\xfe no protobuf", b""])
def test_what_is_no_statistics_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "FeatureStats.pb").write_bytes(content)
    with pytest.raises(SluiceError, match="not statistics"):
        validated(tmp_path / "out", f"--data={tmp_path / 'FeatureStats.pb'}")
