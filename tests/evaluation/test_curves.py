"""Curves and their intervals are those of scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.evaluation import curves
from sluice.evaluation.metrics import Rows

pytestmark = pytest.mark.tf


def scored(rows: int, *, weighted: bool = False, ties: bool = False, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    prediction = random.beta(2, 4, rows)
    label = (random.random(rows) < prediction).astype(np.float64)
    if ties:
        prediction = prediction.round(1)
    return Rows(label, prediction, weight=random.random(rows) if weighted else None)


CASES = [
    scored(20_000),
    scored(20_000, weighted=True),
    scored(3_000, ties=True, weighted=True),
    scored(30),
    Rows(np.array([0.0, 1.0]), np.array([0.9, 0.1])),  # the highest score is a negative's
    Rows(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.5])),
]


@pytest.mark.parametrize("rows", CASES)
def test_the_roc_curve_is_scikit_learns(rows: Rows) -> None:
    from sklearn import metrics

    x, y, thresholds = curves.roc(rows)
    ours = dict(zip(thresholds[1:], zip(x[1:], y[1:], strict=True), strict=True))
    theirs = metrics.roc_curve(rows.label, rows.prediction, sample_weight=rows.weights, drop_intermediate=False)
    by_threshold = {t: (fpr, tpr) for fpr, tpr, t in zip(*theirs, strict=True)}
    assert (x[0], y[0]) == (0, 0)
    assert (x[-1], y[-1]) == pytest.approx((1, 1))
    assert all(by_threshold[t] == pytest.approx(point) for t, point in ours.items())
    assert len(ours) >= min(100, len(np.unique(rows.prediction))) * 0.5
    assert np.isfinite(thresholds).all()


@pytest.mark.parametrize("rows", CASES)
def test_the_precision_recall_curve_is_scikit_learns(rows: Rows) -> None:
    from sklearn import metrics

    recall, precision = curves.precision_recall(rows)
    _, _, thresholds = curves.roc(rows)
    theirs = metrics.precision_recall_curve(rows.label, rows.prediction, sample_weight=rows.weights)
    by_threshold = {t: (r, p) for p, r, t in zip(theirs[0][:-1], theirs[1][:-1], theirs[2], strict=True)}
    assert (recall[0], precision[0]) == (theirs[1][-1], theirs[0][-1]) == (0, 1)
    for t, r, p in zip(thresholds[1:], recall[1:], precision[1:], strict=True):
        assert by_threshold[t] == pytest.approx((r, p))


@pytest.mark.parametrize(("positive", "rows"), [(0, 20), (20, 20), (3, 40), (500, 1000)])
def test_intervals_are_scipys(positive: int, rows: int) -> None:
    from scipy.stats import binomtest

    low, high = curves.wilson(np.array([positive / rows]), rows)
    theirs = binomtest(positive, rows).proportion_ci(0.95, method="wilson")
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_the_reliability_curve_is_scikit_learns() -> None:
    from sklearn.calibration import calibration_curve

    rows = scored(20_000)
    observed, predicted = calibration_curve(rows.label, rows.prediction, n_bins=10, strategy="quantile")
    points = np.array(curves.reliability(rows))
    assert points[:, 0] == pytest.approx(predicted, abs=1e-3)
    assert points[:, 1] == pytest.approx(observed, abs=5e-3)
    assert (points[:, 2] < points[:, 1]).all()
    assert (points[:, 1] < points[:, 3]).all()


def test_weights_that_differ_tell_less_than_as_many_rows() -> None:
    assert curves.effective(np.ones(50)) == pytest.approx(50)
    assert curves.effective(np.full(50, 0.001)) == pytest.approx(50)
    assert curves.effective(np.array([1.0, *[0.0] * 49])) == pytest.approx(1)
