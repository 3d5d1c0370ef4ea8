"""Metrics: equal to scikit-learn's and to TFMA's own; resamples that cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.evaluation import metrics as ours
from sluice.evaluation.metrics import Rows, catalogue, trivial
from sluice.evaluation.resample import Resamples
from sluice.gates.model.policy import ModelPolicy

pytestmark = pytest.mark.tf


POLICY = ModelPolicy.model_validate({"rules": [{"metric": "auc", "at_least": 0.6}], "costs": {"false_negative": 5}})


def value(name: str, rows: Rows, task: str = "binary") -> float:
    return ours.value(name, rows, catalogue(POLICY, task))


def binary(rows: int, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    prediction = random.beta(2, 4, rows)
    return Rows((random.random(rows) < prediction).astype(np.float64), prediction)


def test_binary_metrics_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    rows = binary(5000)
    flagged = rows.prediction > 0.5
    assert value("auc", rows) == pytest.approx(metrics.roc_auc_score(rows.label, rows.prediction), abs=2e-4)
    assert value("accuracy", rows) == pytest.approx(metrics.accuracy_score(rows.label, flagged))
    assert value("log_loss", rows) == pytest.approx(metrics.log_loss(rows.label, rows.prediction))
    assert value("brier", rows) == pytest.approx(metrics.brier_score_loss(rows.label, rows.prediction))
    assert value("precision", rows) == pytest.approx(metrics.precision_score(rows.label, flagged))
    assert value("recall", rows) == pytest.approx(metrics.recall_score(rows.label, flagged))
    assert value("f1", rows) == pytest.approx(metrics.f1_score(rows.label, flagged))
    assert value("average_precision", rows) == pytest.approx(
        metrics.average_precision_score(rows.label, rows.prediction), abs=2e-4
    )
    assert value("calibration", rows) == pytest.approx(rows.prediction.sum() / rows.label.sum())
    (_, false_positive), (false_negative, _) = metrics.confusion_matrix(rows.label, flagged)
    assert value("cost", rows) == pytest.approx((false_positive + 5 * false_negative) / 5000)


def test_regression_and_several_classes_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    random = np.random.default_rng(3)
    label = random.normal(10, 3, 2000)
    rows = Rows(label, label + random.normal(0, 1, 2000))
    assert value("mae", rows, "regression") == pytest.approx(metrics.mean_absolute_error(rows.label, rows.prediction))
    assert value("mse", rows, "regression") == pytest.approx(metrics.mean_squared_error(rows.label, rows.prediction))
    assert value("rmse", rows, "regression") == pytest.approx(
        metrics.mean_squared_error(rows.label, rows.prediction) ** 0.5
    )
    assert value("r2", rows, "regression") == pytest.approx(metrics.r2_score(rows.label, rows.prediction))
    several = Rows(random.integers(0, 3, 2000).astype(np.float64), random.dirichlet(np.ones(3), 2000))
    answer = several.prediction.argmax(1)
    assert value("accuracy", several, "multiclass") == pytest.approx(metrics.accuracy_score(several.label, answer))
    assert value("log_loss", several, "multiclass") == pytest.approx(
        metrics.log_loss(several.label, several.prediction), rel=1e-6
    )
    assert value("balanced_accuracy", several, "multiclass") == pytest.approx(
        metrics.balanced_accuracy_score(several.label, answer)
    )
    assert value("macro_f1", several, "multiclass") == pytest.approx(
        metrics.f1_score(several.label, answer, average="macro")
    )


def test_ndcg_is_that_of_scikit_learn() -> None:
    from sklearn import metrics

    random = np.random.default_rng(4)
    relevance, score = random.integers(0, 4, (50, 8)), random.random((50, 8))
    query = np.repeat(np.arange(50), 8)
    mixed = random.permutation(400)
    rows = Rows(relevance.ravel().astype(np.float64), score.ravel(), query=query).take(mixed)
    expected = metrics.ndcg_score(2.0**relevance - 1, score)
    assert value("ndcg", rows, "ranking") == pytest.approx(expected)


def test_binary_metrics_are_those_of_tfma(tmp_path: Path) -> None:
    """TFMA's own computation over the same predictions, to 1e-6, overall and by slice."""
    import pandas as pd
    import tensorflow_model_analysis as tfma
    from google.protobuf import text_format
    from tensorflow_model_analysis.proto import config_pb2

    rows = binary(3000)
    frame = pd.DataFrame(
        {"label": rows.label, "prediction": rows.prediction, "side": np.where(np.arange(3000) % 3, "a", "b")}
    )
    config = text_format.Parse(
        """model_specs { label_key: "label" prediction_key: "prediction" } slicing_specs {} slicing_specs { feature_keys: "side" }
        metrics_specs { metrics { class_name: "AUC" } metrics { class_name: "BinaryAccuracy" }
        metrics { class_name: "BinaryCrossEntropy" } metrics { class_name: "Precision" } metrics { class_name: "Recall" }
        metrics { class_name: "ExampleCount" } }""",
        config_pb2.EvalConfig(),
    )
    result = tfma.analyze_raw_data(frame, config, output_path=str(tmp_path))
    ours = {
        "auc": "auc",
        "binary_accuracy": "accuracy",
        "binary_crossentropy": "log_loss",
        "precision": "precision",
        "recall": "recall",
    }
    for key, found in result.slicing_metrics:
        index = np.arange(3000) if not key else np.flatnonzero(frame["side"] == key[0][1])
        theirs = found[""][""]
        assert theirs["example_count"]["doubleValue"] == len(index)
        for name, mine in ours.items():
            assert value(mine, rows.take(index)) == pytest.approx(theirs[name]["doubleValue"], abs=1e-6), (key, name)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 400), st.integers(0, 1000))
def test_the_order_of_rows_changes_nothing(count: int, seed: int) -> None:
    rows = binary(count, seed)
    mixed = rows.take(np.random.default_rng(seed).permutation(count))
    for name in ("auc", "log_loss", "accuracy", "calibration_error"):
        assert value(name, rows) == pytest.approx(value(name, mixed), nan_ok=True)


def test_weights_are_repeated_rows() -> None:
    rows, counts = binary(300), np.random.default_rng(5).integers(0, 4, 300)
    repeated = rows.take(np.repeat(np.arange(300), counts))
    weighted = Rows(rows.label, rows.prediction, counts.astype(np.float64))
    for name in ("auc", "average_precision", "log_loss", "precision", "calibration_error"):
        assert value(name, weighted) == pytest.approx(value(name, repeated)), name


def test_one_class_has_no_auc() -> None:
    assert np.isnan(value("auc", Rows(np.ones(10), np.linspace(0, 1, 10))))


def test_the_trivial_predictor_is_the_best_constant() -> None:
    rows = binary(1000)
    best = value("log_loss", trivial(rows, "binary"))
    for constant in (0.1, 0.3, 0.5):
        assert best <= value("log_loss", Rows(rows.label, np.full(1000, constant)))
    assert value("auc", trivial(rows, "binary")) == 0.5


def draws(resamples: Resamples, name: str, rows: Rows) -> np.ndarray:
    index = np.arange(len(rows.label))
    metrics = catalogue(POLICY, "binary")
    return resamples.draws(name, metrics.get(name), rows, index, ours.value(name, rows, metrics))


@pytest.mark.parametrize("name", ["auc", "average_precision"])
def test_coarse_curves_spread_as_exact_ones_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows, resamples = binary(8000), Resamples(np.arange(8000), 300, 0)
    exact = draws(resamples, name, rows)
    monkeypatch.setattr("sluice.evaluation.resample.MANY", 100)
    coarse = draws(resamples, name, rows)
    assert np.corrcoef(exact, coarse)[0, 1] > 0.995
    assert coarse.std() == pytest.approx(exact.std(), rel=0.03)
    assert coarse.mean() == pytest.approx(exact.mean(), abs=exact.std() / 20)


def test_pools_of_rows_spread_as_rows_do() -> None:
    rows = binary(60_000)
    pooled = draws(Resamples(np.arange(60_000), 500, 0), "log_loss", rows)
    parts = catalogue(POLICY, "binary")["log_loss"].parts(rows)[:, 0]
    assert pooled.std() == pytest.approx(parts.std() / 60_000**0.5, rel=0.12)


def test_groups_are_drawn_as_a_whole() -> None:
    """Rows of one group are equal: the spread is that of the groups, much wider than that of the rows."""
    groups = np.repeat(np.arange(100), 50)
    rows = Rows(np.repeat(np.random.default_rng(1).integers(0, 2, 100), 50).astype(np.float64), np.full(5000, 0.4))
    by_group = draws(Resamples(groups, 500, 0), "log_loss", rows).std()
    by_row = draws(Resamples(np.arange(5000), 500, 0), "log_loss", rows).std()
    assert by_group == pytest.approx(by_row * 50**0.5, rel=0.25)


def test_same_seed_same_draws_and_models_are_drawn_together() -> None:
    rows, index = binary(500), np.arange(500)
    one, two = (draws(Resamples(index, 100, 7), "log_loss", rows) for _ in range(2))
    assert (one == two).all()
    assert (draws(Resamples(index, 100, 8), "log_loss", rows) != one).any()


def test_a_rule_of_another_tasks_metric_is_left_to_the_verdict() -> None:
    """What KFP's pages draw has none of it, and the step does not fall."""
    from types import SimpleNamespace

    from sluice.stages.evaluate import _log

    logged: dict[str, float] = {}
    scored = SimpleNamespace(task="regression", models={"challenger": Rows(np.array([1.0, 2.0]), np.array([1.5, 2.5]))})
    policy = ModelPolicy.model_validate(
        {"rules": [{"metric": "accuracy", "at_least": 0.6}, {"metric": "mae", "at_most": 1.0}]}
    )
    _log(scored, policy, SimpleNamespace(log_metric=logged.__setitem__), SimpleNamespace())  # type: ignore[arg-type]
    assert logged == {"mae": 0.5}
