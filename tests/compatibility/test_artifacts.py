"""The artifacts of a run of each earlier release are read by every reader of this one, and judged alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.evaluation.evaluate import evaluate
from sluice.examples.dataset import Examples
from sluice.features.preprocessing import Plan
from sluice.features.spec import Features
from sluice.features.transform import transform
from sluice.features.transformed import Transformed
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.verdict import Verdict
from sluice.models.manifest import ModelManifest
from sluice.statistics.artifact import Statistics, load_schema
from sluice.statistics.validate import validate
from sluice.training.spec import Label, Trainer
from sluice.training.train import train

pytestmark = pytest.mark.tf

RUNS = sorted(Path(__file__).parent.glob("*/run"))
JUDGED = {"validate": ("examples", "statistics", "schema"), "evaluate": ("examples", "model"), "probe": ("model", "golden")}  # fmt: skip


@pytest.fixture(params=RUNS, ids=lambda path: path.parent.name)
def run(request: pytest.FixtureRequest) -> Path:
    return request.param  # type: ignore[no-any-return]


def test_examples_statistics_and_schema(run: Path, tmp_path: Path) -> None:
    """This release counts the same."""
    examples = Examples.load(run / "ingest" / "examples")
    rows = {name: examples.table(name).num_rows for name in examples.manifest.splits}
    assert rows == {name: facts.rows for name, facts in examples.manifest.splits.items()}
    frozen = Statistics.load(run / "validate" / "statistics")
    frozen.check_made_of(examples, run / "validate" / "schema", run / "validate" / "statistics")
    verdict = Verdict.load(run / "validate" / "verdict")
    again = validate(
        examples, label="late", features=Features(), policy=DataPolicy.model_validate(verdict.policy), schema=run / "resolve" / "schema",
        baseline=run / "resolve" / "statistics", baseline_version=verdict.baseline, statistics_out=tmp_path / "statistics",
        schema_out=tmp_path / "schema", report_out=tmp_path / "report.html",
    )  # fmt: skip
    assert (again.status, again.baseline) == (verdict.status, verdict.baseline)
    assert load_schema(tmp_path / "schema") == load_schema(run / "validate" / "schema")
    counted = Statistics.load(tmp_path / "statistics")
    for name, split in frozen.splits.items():
        assert counted.split(name).histograms == split.histograms
        assert counted.split(name).alone == pytest.approx(split.alone)


def test_preprocessing_and_transformed_examples(run: Path, tmp_path: Path) -> None:
    """This release transforms to the same arrays, and trains on the frozen ones."""
    examples = Examples.load(run / "ingest" / "examples")
    plan, frozen = Plan.load(run / "transform" / "preprocessing"), Transformed.load(run / "transform" / "transformed")
    frozen.check(run / "transform" / "transformed", examples, run / "transform" / "preprocessing")
    label = Label(column=frozen.label)
    transform(
        examples, statistics=run / "validate" / "statistics", schema=run / "validate" / "schema",
        features=Features.model_validate(plan.features), label=label, preprocessing_out=tmp_path / "preprocessing",
        transformed_out=tmp_path / "transformed",
    )  # fmt: skip
    assert Plan.load(tmp_path / "preprocessing") == plan
    again = Transformed.load(tmp_path / "transformed")
    assert (again.task, again.classes) == (frozen.task, frozen.classes)
    for file in sorted((run / "transform" / "transformed").rglob("*.npy")):
        name = file.relative_to(run / "transform" / "transformed")
        np.testing.assert_allclose(np.load(tmp_path / "transformed" / name), np.load(file), rtol=1e-6)
    trained = train(
        transformed=run / "transform" / "transformed", preprocessing=run / "transform" / "preprocessing", examples=examples,
        trainer=Trainer.model_validate({"name": "linear", "steps": 5, "batch_size": 64}), label=label, model_out=tmp_path / "model",
        golden_out=tmp_path / "golden", report_out=tmp_path / "report.html",
    )  # fmt: skip
    assert trained is not None
    assert trained[0].training["transformed"] == digest.of_tree(run / "transform" / "transformed")


def test_verdicts_are_on_these_artifacts(run: Path) -> None:
    examples = Examples.load(run / "ingest" / "examples")
    folders = {
        "statistics": run / "validate" / "statistics", "schema": run / "validate" / "schema", "model": run / "train" / "model",
        "golden": run / "train" / "golden",
    }  # fmt: skip
    digests = {name: digest.of_tree(folder) for name, folder in folders.items()} | {
        "examples": examples.manifest.digest
    }
    for step, names in JUDGED.items():
        verdict = Verdict.load(run / step / "verdict")
        assert {name: verdict.subjects[name] for name in names} == {name: digests[name] for name in names}
    assert ModelManifest.load(folders["model"]).training["examples"] == digests["examples"]


def test_the_frozen_model_has_the_frozen_metrics(run: Path, tmp_path: Path) -> None:
    frozen = Verdict.load(run / "evaluate" / "verdict")
    verdict, _ = evaluate(
        Examples.load(run / "ingest" / "examples"), model=run / "train" / "model", champion=run / "resolve" / "model",
        champion_version=frozen.baseline, policy=ModelPolicy.model_validate(frozen.policy), evaluation_out=tmp_path / "evaluation",
        report_out=tmp_path / "report.html", champion_statistics=run / "resolve" / "statistics",
    )  # fmt: skip
    assert verdict.status == frozen.status
    again = {(reason.rule, reason.subject): reason for reason in verdict.reasons}
    for theirs in frozen.reasons:  # a later release may have further rules
        ours = again[theirs.rule, theirs.subject]
        assert ours.outcome == theirs.outcome
        assert ours.observed == pytest.approx(theirs.observed, abs=1e-6)
        assert ours.interval == pytest.approx(theirs.interval, abs=1e-6)
    ours, theirs = (pq.read_table(folder / "predictions.parquet") for folder in (tmp_path / "evaluation", run / "evaluate" / "evaluation"))  # fmt: skip
    assert ours.column_names == theirs.column_names
    for name in ("prediction_challenger", "prediction_champion"):
        np.testing.assert_allclose(ours.column(name).to_numpy(), theirs.column(name).to_numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("reader", "folder", "file"),
    [
        (Statistics, "validate/statistics", "statistics.json"),
        (Plan, "transform/preprocessing", "preprocessing.json"),
        (Transformed, "transform/transformed", "transformed.json"),
        (ModelManifest, "train/model", "model.json"),
        (Verdict, "evaluate/verdict", "verdict.json"),
    ],
)
def test_a_later_format_is_refused_by_the_release_that_wrote_it(
    reader: type[Statistics], folder: str, file: str, tmp_path: Path
) -> None:
    found = RUNS[0] / folder / file
    plain = json.loads(found.read_text()) if found.exists() else {}
    (tmp_path / file).write_text(json.dumps({**plain, "format": 99, "release": "9.9"}))
    with pytest.raises(
        SluiceError, match=r"has (the )?format 99; this release reads up to format \d+ \(written by sluice 9\.9"
    ):
        reader.load(tmp_path)
