"""Metrics as functions of sums over rows.

A metric is a few numbers for each row and a function of their (weighted) sums. A resample is a weight for each row, so
that all resamples are one matrix product. AUC, which is no such sum, is that of TFMA: scores fall into 10,000 bins,
and the ROC curve over their edges is integrated by trapezoids; for its resamples over many rows see `linear_auc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.floating]

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1 before a logarithm, as Keras does."""
THRESHOLDS = 10_000
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Rows:
    """What a model predicted for rows whose labels are known.

    Attributes:
        label: float64, shape [rows]: 0 or 1, the class's index, or the value.
        prediction: float64: probability of the positive class, shape [rows]; probabilities, shape [rows, classes]; or
            the value, shape [rows].
    """

    label: Array
    prediction: Array

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows(self.label[index], self.prediction[index])


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
    if rows.prediction.ndim == 2:
        return (rows.prediction.argmax(axis=1) == rows.label).astype(np.float64)
    return (_flagged(rows) == rows.label).astype(np.float64)


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


def _flagged(rows: Rows) -> Array:
    return (rows.prediction > 0.5).astype(np.float64)


def _squares(rows: Rows) -> Array:
    return (rows.prediction - rows.label) ** 2


def _calibration_gaps(rows: Rows) -> Array:
    """Predicted minus observed, in the column of its bin; the number of rows in the last."""
    bins = np.minimum((rows.prediction * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.zeros((len(bins), CALIBRATION_BINS + 1))
    gaps[np.arange(len(bins)), bins] = rows.prediction - rows.label
    gaps[:, -1] = 1.0
    return gaps


METRICS: dict[str, Metric] = {
    "accuracy": ratio(_hit),
    "log_loss": ratio(_log_loss),
    "brier": ratio(_brier),
    "precision": ratio(lambda rows: _flagged(rows) * rows.label, _flagged),
    "recall": ratio(lambda rows: _flagged(rows) * rows.label, lambda rows: rows.label),
    # Expected calibration error over ten bins of equal width (Naeini et al. 2015).
    "calibration_error": Metric(
        _calibration_gaps, lambda sums: _divide(np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1])
    ),
    "mae": ratio(lambda rows: np.abs(rows.prediction - rows.label)),
    "mse": ratio(_squares),
    "rmse": ratio(_squares, finish=np.sqrt),
    "r2": ratio(_squares, lambda rows: (rows.label - rows.label.mean()) ** 2, lambda quotient: 1 - quotient),
}  # fmt: skip


def value(name: str, rows: Rows) -> float:
    """A metric over rows; NaN where it is not defined."""
    if name == "auc":
        return float(auc(rows, np.ones((1, len(rows.label))))[0])
    metric = METRICS[name]
    return float(metric.finish(metric.parts(rows).sum(axis=0, keepdims=True))[0])


def auc(rows: Rows, weights: Array) -> Array:
    """Area under the ROC curve for each row of `weights`, shape [resamples, rows]; NaN where there is one class only."""
    bins = _bins(rows)
    ups = _binned(weights, np.flatnonzero(rows.label == 1), bins)
    downs = _binned(weights, np.flatnonzero(rows.label != 1), bins)
    below = np.cumsum(downs, axis=1) - downs / 2
    return _divide(np.einsum("rb,rb->r", ups, below), ups.sum(axis=1) * downs.sum(axis=1))


def linear_auc(rows: Rows) -> Metric:
    """AUC linearised at these rows, for resamples of many rows.

    To first order a row moves the AUC by its placement among the other class (DeLong et al. 1988); what is left out
    falls with the number of rows, while the noise falls with its root only.
    """
    bins, positive = _bins(rows), rows.label == 1
    ups = np.bincount(bins[positive], minlength=bins.max() + 1)
    downs = np.bincount(bins[~positive], minlength=bins.max() + 1)
    placed = np.where(
        positive, ((np.cumsum(downs) - downs / 2) / max(1, downs.sum()))[bins],
        (1 - (np.cumsum(ups) - ups / 2) / max(1, ups.sum()))[bins],
    )  # fmt: skip
    area, share = value("auc", rows), positive.mean()
    influence = (placed - area) / np.where(positive, share, 1 - share)
    parts = np.stack([influence, np.ones(len(bins))], axis=1)
    return Metric(lambda _: parts, lambda sums: area + _divide(sums[:, 0], sums[:, 1]))


def _bins(rows: Rows) -> NDArray[np.int64]:
    """Rank of each row's bin among the bins that are not empty.

    TFMA's bins: scores are cut to 1/10,000, and lie above every threshold i / 9,999 that they exceed.
    """
    cut = np.floor(rows.prediction * THRESHOLDS) / THRESHOLDS
    thresholds = np.arange(1, THRESHOLDS - 1) / (THRESHOLDS - 1) + EPSILON
    return np.unique(np.searchsorted(thresholds, cut, side="right"), return_inverse=True)[1]


def _binned(weights: Array, index: NDArray[np.int64], bins: NDArray[np.int64]) -> Array:
    """Sums of the weights of some rows by bin, shape [resamples, bins]."""
    total = np.zeros((len(weights), int(bins.max()) + 1))
    order = index[np.argsort(bins[index], kind="stable")]
    if len(order):
        held, starts = np.unique(bins[order], return_index=True)
        total[:, held] = np.add.reduceat(weights[:, order], starts, axis=1)
    return total


def trivial(rows: Rows) -> Rows:
    """What the best constant predicts on these rows: the class frequencies, or the mean."""
    if rows.prediction.ndim == 2:
        share = np.bincount(rows.label.astype(np.int64), minlength=rows.prediction.shape[1]) / len(rows.label)
        return Rows(rows.label, np.tile(share, (len(rows.label), 1)))
    return Rows(rows.label, np.full(len(rows.label), rows.label.mean()))
