"""Metrics: equal to scikit-learn's and to TFMA's own; resamples that cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.evaluation.metrics import METRICS, Rows, auc, linear_auc, trivial, value
from sluice.evaluation.resample import Resamples

pytestmark = pytest.mark.tf


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


def test_regression_and_several_classes_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    random = np.random.default_rng(3)
    label = random.normal(10, 3, 2000)
    rows = Rows(label, label + random.normal(0, 1, 2000))
    assert value("mae", rows) == pytest.approx(metrics.mean_absolute_error(rows.label, rows.prediction))
    assert value("mse", rows) == pytest.approx(metrics.mean_squared_error(rows.label, rows.prediction))
    assert value("rmse", rows) == pytest.approx(metrics.mean_squared_error(rows.label, rows.prediction) ** 0.5)
    assert value("r2", rows) == pytest.approx(metrics.r2_score(rows.label, rows.prediction))
    several = Rows(random.integers(0, 3, 2000).astype(np.float64), random.dirichlet(np.ones(3), 2000))
    assert value("accuracy", several) == pytest.approx(
        metrics.accuracy_score(several.label, several.prediction.argmax(1))
    )
    assert value("log_loss", several) == pytest.approx(metrics.log_loss(several.label, several.prediction), rel=1e-6)


def test_binary_metrics_are_those_of_tfma(tmp_path: Path) -> None:
    """TFMA's own computation over the same predictions, to 1e-6, overall and by slice."""
    import pandas as pd
    import tensorflow_model_analysis as tfma
    from google.protobuf import text_format

    rows = binary(3000)
    frame = pd.DataFrame(
        {"label": rows.label, "prediction": rows.prediction, "side": np.where(np.arange(3000) % 3, "a", "b")}
    )
    config = text_format.Parse(
        """model_specs { label_key: "label" prediction_key: "prediction" } slicing_specs {} slicing_specs { feature_keys: "side" }
        metrics_specs { metrics { class_name: "AUC" } metrics { class_name: "BinaryAccuracy" }
        metrics { class_name: "BinaryCrossEntropy" } metrics { class_name: "Precision" } metrics { class_name: "Recall" }
        metrics { class_name: "ExampleCount" } }""",
        tfma.EvalConfig(),
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
    weights = counts[None, :].astype(np.float64)
    assert auc(rows, weights)[0] == pytest.approx(value("auc", repeated))
    for name in ("log_loss", "precision", "calibration_error"):
        metric = METRICS[name]
        assert metric.finish(weights @ metric.parts(rows))[0] == pytest.approx(value(name, repeated))


def test_one_class_has_no_auc() -> None:
    assert np.isnan(value("auc", Rows(np.ones(10), np.linspace(0, 1, 10))))


def test_the_trivial_predictor_is_the_best_constant() -> None:
    rows = binary(1000)
    best = value("log_loss", trivial(rows))
    for constant in (0.1, 0.3, 0.5):
        assert best <= value("log_loss", Rows(rows.label, np.full(1000, constant)))
    assert value("auc", trivial(rows)) == 0.5


def test_linearised_auc_spreads_as_the_exact_one_does() -> None:
    rows = binary(10_000)
    resamples = Resamples(np.arange(10_000), 400, 0)
    exact = resamples.draws("auc", rows, np.arange(10_000))
    metric = linear_auc(rows)
    linear = metric.finish(resamples._weights @ metric.parts(rows))
    assert np.corrcoef(exact, linear)[0, 1] > 0.999
    assert linear.std() == pytest.approx(exact.std(), rel=0.02)


def test_pools_of_rows_spread_as_rows_do() -> None:
    rows, index = binary(60_000), np.arange(60_000)
    pooled = Resamples(index, 500, 0).draws("log_loss", rows, index)
    parts = METRICS["log_loss"].parts(rows)[:, 0]
    assert pooled.std() == pytest.approx(parts.std() / 60_000**0.5, rel=0.12)


def test_groups_are_drawn_as_a_whole() -> None:
    """Rows of one group are equal: the spread is that of the groups, much wider than that of the rows."""
    groups = np.repeat(np.arange(100), 50)
    rows = Rows(np.repeat(np.random.default_rng(1).integers(0, 2, 100), 50).astype(np.float64), np.full(5000, 0.4))
    index = np.arange(5000)
    by_group = Resamples(groups, 500, 0).draws("log_loss", rows, index).std()
    by_row = Resamples(index, 500, 0).draws("log_loss", rows, index).std()
    assert by_group == pytest.approx(by_row * 50**0.5, rel=0.25)


def test_same_seed_same_draws_and_models_are_drawn_together() -> None:
    rows, index = binary(500), np.arange(500)
    one, two = (Resamples(index, 100, 7).draws("log_loss", rows, index) for _ in range(2))
    assert (one == two).all()
    assert (Resamples(index, 100, 8).draws("log_loss", rows, index) != one).any()
