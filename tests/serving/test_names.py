"""Columns of any name go from the statistics to a served model, which answers to the raw names."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sluice.evaluation.evaluate import evaluate
from sluice.examples.dataset import Examples
from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.service.policy import ServicePolicy
from sluice.models import adapter
from sluice.models.manifest import ModelManifest
from sluice.models.saved_model import argument_names
from sluice.serving.probe import probe
from sluice.training.spec import Label, Trainer
from sluice.training.train import train
from tests import made
from tests.names import BOOLEAN, CATEGORIES, KEY, LABEL, NUMBERS, TAKEN, TEXT, TIME, WEIGHT, table

pytestmark = pytest.mark.tf

FEATURES = Features(
    numeric=list(NUMBERS), categorical=list(CATEGORIES), boolean=[BOOLEAN], text=[{"name": TEXT, "hash_buckets": 4}],
    datetime=[{"name": TIME, "parts": ["hour", "weekday"], "encode": "category"}],
    crosses=[["class", "größe/Länge"], ["a b", f"{TIME}_weekday"]],
)  # fmt: skip
RAW = {*NUMBERS, *CATEGORIES, BOOLEAN, TEXT, TIME}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained line on the table of names; ``model`` is of Keras, ``sklearn`` of scikit-learn, ``warm`` began with `model`."""
    folder = tmp_path_factory.mktemp("names")
    examples, label = made.examples(folder / "examples", table()), Label(column=LABEL, positive="yes")
    made.trained(folder, examples, FEATURES, label, Trainer(steps=30))
    for name, trainer, champion in (
        ("sklearn", Trainer(name="sklearn"), None),
        ("linear", Trainer(name="sklearn", estimator="sklearn.linear_model.LogisticRegression"), None),
        ("warm", Trainer(steps=1, warm_start=True), folder / "model"),
    ):
        train(
            transformed=folder / "transformed", preprocessing=folder / "preprocessing", examples=examples, trainer=trainer, label=label,
            model_out=folder / name, golden_out=folder / f"{name}-golden", report_out=folder / f"{name}.html", champion=champion,
        )  # fmt: skip
    return folder


def blessed(model: Path, golden: Path, **policy: Any) -> set[str]:
    """Subjects of the golden requests of a probe that has to bless."""
    limits = {"max_p50_ms": 1e4, "max_p99_ms": 1e4, "requests": 20, **policy}
    verdict = probe(model=model, golden=golden, policy=ServicePolicy(**limits))
    assert verdict.blessed, [reason.sentence for reason in verdict.reasons if reason.closes]
    return {reason.subject for reason in verdict.reasons if reason.rule == "golden"}


@pytest.mark.parametrize(("model", "golden"), [("model", "golden"), ("sklearn", "sklearn-golden")])
def test_a_fresh_process_answers_to_the_raw_names(line: Path, model: str, golden: str) -> None:
    assert set(ModelManifest.load(line / model).features) == RAW
    assert blessed(line / model, line / golden) == {"predictions"}


@pytest.mark.parametrize("model", ["linear", "warm"])
def test_a_model_loaded_here_answers_to_the_raw_names(line: Path, model: str) -> None:
    golden = pq.read_table(line / f"{model}-golden" / "golden.parquet")
    (rows,) = golden.select(golden.column_names[:-1]).combine_chunks().to_batches()
    predicted = adapter.load(line / model).predict(rows)
    np.testing.assert_allclose(predicted, golden.column(golden.num_columns - 1).to_numpy(), atol=1e-5)


def test_a_warm_start_finds_every_weight(line: Path) -> None:
    import tensorflow as tf

    loaded = [tf.saved_model.load(str(line / name)) for name in ("warm", "model")]
    ours, theirs = ({v.name: v.numpy() for v in each.signatures["serving_default"].variables} for each in loaded)
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}
    assert all(np.abs(value - theirs[name]).max() < 0.05 for name, value in ours.items())  # one step away


@pytest.mark.usefixtures("tensorflow_model_server")
def test_tensorflow_serving_answers_to_the_raw_names(line: Path) -> None:
    assert blessed(line / "model", line / "golden", server="tensorflow_serving") == {
        "predictions over v1",
        "predictions over grpc",
    }


@pytest.mark.usefixtures("kserve_here")
def test_kserve_answers_to_the_raw_names(line: Path) -> None:
    assert blessed(line / "model", line / "golden", server="kserve") == {
        "predictions over v1",
        "predictions over v2",
        "predictions over grpc",
    }


def test_the_signature_has_the_raw_names_and_python_gives_them_in_one_dict(line: Path) -> None:
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel.FromString((line / "model" / "saved_model.pb").read_bytes())
    assert set(content.meta_graphs[0].signature_def["serving_default"].inputs) == RAW
    loaded = tf.saved_model.load(str(line / "model"))
    assert set(loaded.signatures["serving_default"].structured_input_signature[1]) == set(
        argument_names(ModelManifest.load(line / "model").features).values()
    )


def test_names_that_tensorflow_takes_are_its_arguments_and_others_never_meet_them() -> None:
    assert argument_names(["age", "class", "input_1", "self", "1st"]) == {
        "age": "age", "class": "input_1_", "input_1": "input_1", "self": "input_3", "1st": "input_4",
    }  # fmt: skip


def test_the_model_gate_slices_weighs_and_groups_by_any_name(line: Path, tmp_path: Path) -> None:
    policy = ModelPolicy(
        rules=[{"metric": "auc", "at_least": 0.1}, {"metric": "accuracy", "at_least": 0.0, "slices": [["class"], ["say \"hi\"", "i/j"]]}],
        slices=[[LABEL], ["a.b"], ["größe/Länge", BOOLEAN], ["x=y, z", "a b"]], bins={"a.b": [3.0, 7.0], "i/j": [8.0]},
        weight=WEIGHT, group=KEY, resamples=100, min_slice_rows=2,
    )  # fmt: skip
    verdict, _ = evaluate(
        Examples.load(line / "examples"), model=line / "model", champion=line / "warm", champion_version=1, policy=policy,
        split="eval", evaluation_out=tmp_path / "out", report_out=tmp_path / "report.html",
    )  # fmt: skip
    subjects = " | ".join(reason.subject for reason in verdict.reasons)
    assert 'say "hi"' in subjects
    report = html.unescape((tmp_path / "report.html").read_text())
    assert "größe/Länge=größe/Länge 0, self=false" in report
    assert '"x=y, z"=0' in report


def test_tfma_slices_by_any_name_and_by_the_label(line: Path, tmp_path: Path) -> None:
    policy = ModelPolicy(
        rules=[{"metric": "auc", "at_least": 0.51}], slices=[[LABEL], ["x=y, z"]], engine="tfma", uncertainty="point", min_slice_rows=2,
    )  # fmt: skip
    verdict, _ = evaluate(
        Examples.load(line / "examples"), model=line / "model", champion=None, champion_version=None, policy=policy,
        split="eval", evaluation_out=tmp_path / "out", report_out=tmp_path / "report.html",
    )  # fmt: skip
    assert [reason.outcome for reason in verdict.reasons if reason.rule == "at_least"] == ["passed"]


def test_the_data_gate_names_columns_as_they_are(line: Path, tmp_path: Path) -> None:
    from sluice.statistics.validate import validate

    content = table()
    for name in ("i/j", "a.b", "sepal length (cm)", "class", 'say "hi"', "数量", "größe/Länge"):
        content = content.drop([name])
    rest = made.examples(tmp_path / "examples", content)
    policy = DataPolicy(
        slices=["a b", BOOLEAN], weight=WEIGHT, ranges={"[0, 1)": {"at_least": 0}, "100 %": {"at_most": 1}},
        anomalies={"class:SCHEMA_MISSING_COLUMN": "ignore"}, freshness={"column": TIME, "days": 1},
    )  # fmt: skip
    verdict = validate(
        rest, label=LABEL, features=FEATURES, policy=policy, schema=line / "schema", baseline=line / "statistics", baseline_version=1,
        statistics_out=tmp_path / "statistics", schema_out=tmp_path / "schema", report_out=tmp_path / "report.html",
    )  # fmt: skip
    closing = {(reason.rule, reason.subject) for reason in verdict.reasons if reason.closes}
    for name in ("i/j", "a.b", "sepal length (cm)", 'say "hi"', "数量", "größe/Länge"):
        assert ("schema", f"{name} @ train") in closing
    assert ("schema", "class @ train") not in closing
    assert ("range", "100 %, largest") in closing


def test_golden_rows_keep_a_feature_that_is_called_as_the_answer(line: Path) -> None:
    golden = pq.ParquetFile(line / "golden" / "golden.parquet").read()
    assert len(golden.column_names) == len(RAW) + 1
    assert set(golden["prediction"].to_pylist()[:3]) <= {f"prediction {i}" for i in range(4)}


def test_every_name_of_the_table_is_used(line: Path) -> None:
    assert {*RAW, LABEL, KEY, WEIGHT} == set(TAKEN) == set(Examples.load(line / "examples").manifest.columns)
