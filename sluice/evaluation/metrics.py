"""Metrics, vectorised over resamples.

Every metric but AUC is a function of ratios of sums over rows, so that a resample, which is a weight for each row, is
a matrix product. AUC is that of TFMA: scores fall into 10,000 bins, and the ROC curve over their edges is integrated
by trapezoids.
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
class Ratio:
    """A metric that is a function of a ratio of sums over rows.

    Attributes:
        parts: rows to numerators and denominators, each of shape [rows].
        finish: what becomes of the ratio.
    """

    parts: Callable[[Rows], tuple[Array, Array]]
    finish: Callable[[Array], Array] = lambda ratio: ratio

    def __call__(self, rows: Rows, weights: Array) -> Array:
        """The metric for each row of `weights`, shape [resamples, rows]; NaN where the denominator is 0."""
        numerator, denominator = self.parts(rows)
        stacked = weights @ np.stack([numerator, denominator], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.finish(stacked[:, 0] / np.where(stacked[:, 1] == 0, np.nan, stacked[:, 1]))


def _ones(rows: Rows) -> Array:
    return np.ones(len(rows.label))


def _hit(rows: Rows) -> Array:
    if rows.prediction.ndim == 2:
        return (rows.prediction.argmax(axis=1) == rows.label).astype(np.float64)
    return ((rows.prediction > 0.5) == (rows.label == 1)).astype(np.float64)


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
    return (rows.prediction - rows.label) ** 2


def _flagged(rows: Rows) -> Array:
    return (rows.prediction > 0.5).astype(np.float64)


def _squares(rows: Rows) -> Array:
    return (rows.prediction - rows.label) ** 2


def auc(rows: Rows, weights: Array) -> Array:
    """Area under the ROC curve as TFMA bins it, for each row of `weights`; NaN where there is one class only."""
    bins = np.ceil(rows.prediction * (THRESHOLDS - 1) - 1e-9).astype(np.int64)
    _, bins = np.unique(bins, return_inverse=True)
    ups = _binned(weights, np.flatnonzero(rows.label == 1), bins)
    downs = _binned(weights, np.flatnonzero(rows.label != 1), bins)
    below = np.cumsum(downs, axis=1) - downs / 2
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.einsum("rb,rb->r", ups, below) / np.where(pairs == 0, np.nan, pairs)


def _binned(weights: Array, index: NDArray[np.int64], bins: NDArray[np.int64]) -> Array:
    """Sums of the weights of some rows by bin, shape [resamples, bins]."""
    total = np.zeros((len(weights), int(bins.max()) + 1))
    order = index[np.argsort(bins[index], kind="stable")]
    if len(order):
        held, starts = np.unique(bins[order], return_index=True)
        total[:, held] = np.add.reduceat(weights[:, order], starts, axis=1)
    return total


def calibration_error(rows: Rows, weights: Array) -> Array:
    """Expected calibration error over ten bins of equal width (Naeini et al. 2015), for each row of `weights`."""
    bins = np.minimum((rows.prediction * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.zeros((len(weights), CALIBRATION_BINS))
    gap = rows.prediction - rows.label
    for index in np.unique(bins):
        held = bins == index
        gaps[:, index] = weights[:, held] @ gap[held]
    return np.abs(gaps).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300)


METRICS: dict[str, Callable[[Rows, Array], Array]] = {
    "auc": auc,
    "calibration_error": calibration_error,
    "accuracy": Ratio(lambda rows: (_hit(rows), _ones(rows))),
    "log_loss": Ratio(lambda rows: (_log_loss(rows), _ones(rows))),
    "brier": Ratio(lambda rows: (_brier(rows), _ones(rows))),
    "precision": Ratio(lambda rows: (_flagged(rows) * rows.label, _flagged(rows))),
    "recall": Ratio(lambda rows: (_flagged(rows) * rows.label, rows.label)),
    "mae": Ratio(lambda rows: (np.abs(rows.prediction - rows.label), _ones(rows))),
    "mse": Ratio(lambda rows: (_squares(rows), _ones(rows))),
    "rmse": Ratio(lambda rows: (_squares(rows), _ones(rows)), np.sqrt),
    "r2": Ratio(lambda rows: (_squares(rows), (rows.label - rows.label.mean()) ** 2), lambda ratio: 1 - ratio),
}


def trivial(rows: Rows) -> Rows:
    """What the best constant predicts on these rows: the class frequencies, or the mean."""
    if rows.prediction.ndim == 2:
        share = np.bincount(rows.label.astype(np.int64), minlength=rows.prediction.shape[1]) / len(rows.label)
        return Rows(rows.label, np.tile(share, (len(rows.label), 1)))
    return Rows(rows.label, np.full(len(rows.label), rows.label.mean()))
