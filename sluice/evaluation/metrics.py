"""Metrics as functions of sums over rows.

A metric is a few numbers for each row and a function of their (weighted) sums, so that all resamples are one matrix
product. AUC and average precision are functions of two histograms of scores; AUC is TFMA's: scores are cut to 10,000
bins, and the ROC curve over their edges is integrated by trapezoids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sluice.gates.model.policy import ModelPolicy

    Array = NDArray[np.floating]

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1 before a logarithm, as Keras does."""
THRESHOLDS = 10_000
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Rows:
    """What a model predicted for rows whose labels are known.

    Attributes:
        label: float64, shape [rows]: 0 or 1, the class's index, the value, or the relevance.
        prediction: float64: probability of the positive class, shape [rows]; probabilities, shape [rows, classes]; or
            the value or score, shape [rows].
        weight: float64, shape [rows]; None: all rows weigh 1.
        query: for a ranking, the query of each row, shape [rows].
    """

    label: Array
    prediction: Array
    weight: Array | None = None
    query: NDArray[np.int64] | None = None

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        weight = None if self.weight is None else self.weight[index]
        query = None if self.query is None else self.query[index]
        return Rows(self.label[index], self.prediction[index], weight, query)

    @property
    def weights(self) -> Array:
        """The weights, written out."""
        return np.ones(len(self.label)) if self.weight is None else self.weight


@dataclass(frozen=True)
class Metric:
    """A metric of sums.

    Attributes:
        parts: what is summed: from rows to an array of shape [rows, sums].
        finish: from sums, shape [resamples, sums], to the metric, shape [resamples]; NaN where it is not defined.
    """

    parts: Callable[[Rows], Array]
    finish: Callable[[Array], Array]


def ratio(
    numerator: Callable[[Rows], Array],
    denominator: Callable[[Rows], Array] | None = None,
    finish: Callable[[Array], Array] = lambda quotient: quotient,
) -> Metric:
    """A metric that is a function of one sum over another (over the number of rows where none is given)."""

    def parts(rows: Rows) -> Array:
        below = np.ones(len(rows.label)) if denominator is None else denominator(rows)
        return np.stack([numerator(rows), below], axis=1)

    return Metric(parts, lambda sums: finish(_divide(sums[:, 0], sums[:, 1])))


def _divide(above: Array, below: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / np.where(below == 0, np.nan, below)


def _hit(rows: Rows) -> Array:
    return (rows.prediction.argmax(axis=1) == rows.label).astype(np.float64)


def _log_loss(rows: Rows) -> Array:
    if rows.prediction.ndim == 2:
        chosen = rows.prediction[np.arange(len(rows.label)), rows.label.astype(np.int64)]
        return -np.log(np.clip(chosen, EPSILON, 1 - EPSILON))
    p = np.clip(rows.prediction, EPSILON, 1 - EPSILON)
    return -(rows.label * np.log(p) + (1 - rows.label) * np.log1p(-p))


def _brier(rows: Rows) -> Array:
    if rows.prediction.ndim == 2:
        hot = np.eye(rows.prediction.shape[1])[rows.label.astype(np.int64)]
        return ((rows.prediction - hot) ** 2).sum(axis=1)
    return _squares(rows)


def _squares(rows: Rows) -> Array:
    return (rows.prediction - rows.label) ** 2


def _calibration_gaps(rows: Rows) -> Array:
    """Predicted minus observed, in the column of its bin; the number of rows in the last."""
    bins = np.minimum((rows.prediction * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.zeros((len(bins), CALIBRATION_BINS + 1))
    gaps[np.arange(len(bins)), bins] = rows.prediction - rows.label
    gaps[:, -1] = 1.0
    return gaps


def _by_class(rows: Rows) -> Array:
    """Hits, labels and answers of every class, shape [rows, 3 * classes]."""
    hot = np.eye(rows.prediction.shape[1])
    label, answer = hot[rows.label.astype(np.int64)], hot[rows.prediction.argmax(axis=1)]
    return np.concatenate([label * answer, label, answer], axis=1)


def _mean_recall(sums: Array) -> Array:
    hits, labels, _ = np.split(sums, 3, axis=1)
    return np.nanmean(_divide(hits, labels), axis=1)


def _mean_f1(sums: Array) -> Array:
    hits, labels, answers = np.split(sums, 3, axis=1)
    return np.nanmean(_divide(2 * hits, labels + answers), axis=1)


def _ndcg(rows: Rows) -> Array:
    """Normalised discounted cumulative gain of a query and 1, at the query's first row; 0 elsewhere (Jarvelin and Kekalainen 2002).

    Queries without a relevant row do not count.
    """
    query = rows.query if rows.query is not None else np.zeros(len(rows.label), np.int64)

    def gains(key: Array) -> Array:
        order = np.lexsort((-key, query))
        starts = np.flatnonzero(np.diff(query[order], prepend=query.min() - 1))
        rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        return np.add.reduceat((2.0 ** rows.label[order] - 1) / np.log2(rank + 2), starts)

    first = np.unique(query, return_index=True)[1]
    best = gains(rows.label)
    parts = np.zeros((len(query), 2))
    parts[first] = np.stack([_divide(gains(rows.prediction), best), np.ones(len(best))], axis=1)
    parts[first[best == 0]] = 0.0
    return parts


def catalogue(policy: ModelPolicy, task: str) -> dict[str, Metric]:
    """Every metric of sums that a task has, at the policy's threshold and costs."""

    def flagged(rows: Rows) -> Array:
        return (rows.prediction > policy.threshold).astype(np.float64)

    def caught(rows: Rows) -> Array:
        return flagged(rows) * rows.label

    def cost(rows: Rows) -> Array:
        answer, label = flagged(rows), rows.label
        return policy.costs.false_positive * answer * (1 - label) + policy.costs.false_negative * (1 - answer) * label

    shared = {
        "log_loss": ratio(_log_loss),
        "brier": ratio(_brier),
        "calibration": ratio(lambda rows: rows.prediction, lambda rows: rows.label),
    }
    by_task: dict[str, dict[str, Metric]] = {
        "binary": {
            **shared,
            "accuracy": ratio(lambda rows: (flagged(rows) == rows.label).astype(np.float64)),
            "precision": ratio(caught, flagged),
            "recall": ratio(caught, lambda rows: rows.label),
            "f1": ratio(lambda rows: 2 * caught(rows), lambda rows: flagged(rows) + rows.label),
            "cost": ratio(cost),
            # Expected calibration error over ten bins of equal width (Naeini et al. 2015).
            "calibration_error": Metric(
                _calibration_gaps, lambda sums: _divide(np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1])
            ),
        },
        "multiclass": {
            **shared,
            "accuracy": ratio(_hit),
            "balanced_accuracy": Metric(_by_class, _mean_recall),
            "macro_f1": Metric(_by_class, _mean_f1),
        },
        "regression": {
            "mae": ratio(lambda rows: np.abs(rows.prediction - rows.label)),
            "mse": ratio(_squares),
            "rmse": ratio(_squares, finish=np.sqrt),
            "r2": ratio(_squares, lambda rows: (rows.label - rows.label.mean()) ** 2, lambda quotient: 1 - quotient),
            "calibration": shared["calibration"],
        },
        "ranking": {"ndcg": Metric(_ndcg, lambda sums: _divide(sums[:, 0], sums[:, 1]))},
    }  # fmt: skip
    return by_task[task]


def auc(ups: Array, downs: Array) -> Array:
    """Area under the ROC curve from histograms of positives and negatives, shape [resamples, bins], scores ascending."""
    below = np.cumsum(downs, axis=1) - downs / 2
    return _divide(np.einsum("rb,rb->r", ups, below), ups.sum(axis=1) * downs.sum(axis=1))


def average_precision(ups: Array, downs: Array) -> Array:
    """Mean over positives of the precision at their score, from histograms as for `auc`."""
    above_ups, above_downs = (np.cumsum(counts[:, ::-1], axis=1)[:, ::-1] for counts in (ups, downs))
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.nan_to_num(above_ups / (above_ups + above_downs))
    return _divide(np.einsum("rb,rb->r", ups, precision), ups.sum(axis=1))


CURVES: dict[str, Callable[[Array, Array], Array]] = {"auc": auc, "average_precision": average_precision}
"""Metrics of a binary task that are functions of the two histograms of scores."""


def value(name: str, rows: Rows, metrics: dict[str, Metric]) -> float:
    """A metric over rows; NaN where it is not defined."""
    if name in CURVES:
        bins = score_bins(rows)
        return float(CURVES[name](*(h[None, :] for h in _histograms(rows, bins)))[0])
    metric = metrics[name]
    return float(metric.finish((metric.parts(rows) * rows.weights[:, None]).sum(axis=0, keepdims=True))[0])


def _histograms(rows: Rows, bins: NDArray[np.int64]) -> tuple[Array, Array]:
    size = int(bins.max()) + 1
    positive = rows.label == 1
    ups = np.bincount(bins[positive], rows.weights[positive], minlength=size).astype(np.float64)
    downs = np.bincount(bins[~positive], rows.weights[~positive], minlength=size).astype(np.float64)
    return ups, downs


def score_bins(rows: Rows) -> NDArray[np.int64]:
    """Rank of each row's bin among the bins that are not empty.

    TFMA's bins: scores are cut to 1/10,000, and lie above every threshold i / 9,999 that they exceed.
    """
    cut = np.floor(rows.prediction * THRESHOLDS) / THRESHOLDS
    thresholds = np.arange(1, THRESHOLDS - 1) / (THRESHOLDS - 1) + EPSILON
    return np.unique(np.searchsorted(thresholds, cut, side="right"), return_inverse=True)[1]


def trivial(rows: Rows, task: str) -> Rows:
    """What the best constant predicts on these rows: the class frequencies, or the mean; for a ranking, no order."""
    if task == "ranking":
        mixed = np.random.default_rng(0).permutation(len(rows.label)).astype(np.float64)
        return replace(rows, prediction=mixed)
    if task == "multiclass":
        share = np.bincount(rows.label.astype(np.int64), rows.weights, minlength=rows.prediction.shape[1])
        return replace(rows, prediction=np.tile(share / share.sum(), (len(rows.label), 1)))
    return replace(rows, prediction=np.full(len(rows.label), np.average(rows.label, weights=rows.weights)))
