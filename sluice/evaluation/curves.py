"""Curves and tables of a binary task, for reports and for KFP's own pages."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.evaluation.metrics import Rows

    Array = NDArray[np.floating]

POINTS = 100
Z = NormalDist().inv_cdf(0.975)
"""Of a 95 % interval."""


def roc(rows: Rows) -> tuple[Array, Array, Array]:
    """False positive rate, true positive rate and threshold, each of shape [points], from (0, 0) to (1, 1).

    At a threshold a score counts as positive that is at least as high, as in `sklearn.metrics.roc_curve`; up to 100 of its
    thresholds are kept, evenly spread over the rows.
    """
    thresholds, ups, downs = _at(rows)
    rates = (counts / max(_total(rows, label), 1e-300) for counts, label in ((downs, 0), (ups, 1)))
    false_positive, true_positive = (np.concatenate([[0.0], rate]) for rate in rates)
    return false_positive, true_positive, np.concatenate([[np.nextafter(thresholds[0], np.inf)], thresholds])


def precision_recall(rows: Rows) -> tuple[Array, Array]:
    """Recall and precision at the thresholds of `roc`, from recall 0 and precision 1, where nothing is answered positive.

    As `sklearn.metrics.precision_recall_curve` has it, in reverse.
    """
    _, ups, downs = _at(rows)
    recall, precision = ups / max(_total(rows, 1), 1e-300), ups / (ups + downs)
    return np.concatenate([[0.0], recall]), np.concatenate([[1.0], precision])


def roc_band(rows: Rows) -> tuple[Array, Array]:
    """Lower and upper end of a pointwise 95 % interval of the true positive rate, at the thresholds of `roc`."""
    _, rate, _ = roc(rows)
    return wilson(rate, effective(rows.weights[rows.label == 1]))


def reliability(rows: Rows, bins: int = 10) -> list[tuple[float, float, float, float]]:
    """Mean prediction, observed rate and the ends of its 95 % interval, in bins of equal count."""
    order = np.argsort(rows.prediction, kind="stable")
    points = []
    for part in np.array_split(order, bins):
        if len(part) and (weight := rows.weights[part]).sum():
            rate = float(np.average(rows.label[part], weights=weight))
            low, high = wilson(np.array([rate]), effective(weight))
            points.append(
                (float(np.average(rows.prediction[part], weights=weight)), rate, float(low[0]), float(high[0]))
            )
    return points


def wilson(rate: Array, rows: float) -> tuple[Array, Array]:
    """Ends of the 95 % score interval of a rate (Wilson 1927), which has a width at 0 and 1 as well."""
    rows = max(rows, 1e-300)
    middle = (rate + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * np.sqrt(rate * (1 - rate) / rows + Z**2 / (4 * rows**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def effective(weights: Array) -> float:
    """How many rows of equal weight tell as much (Kish 1965)."""
    return float(weights.sum() ** 2 / max((weights**2).sum(), 1e-300))


def confusion(rows: Rows, threshold: float) -> NDArray[np.int64]:
    """Rows by label (down) and answer (across), shape [2, 2]."""
    answer = (rows.prediction > threshold).astype(np.int64)
    return np.bincount(rows.label.astype(np.int64) * 2 + answer, minlength=4).reshape(2, 2)


def threshold_table(rows: Rows, thresholds: tuple[float, ...]) -> list[tuple[float, float, float, float]]:
    """Threshold, precision, recall, and the share of rows that are answered positive."""
    ups, downs = _above(rows, np.asarray(thresholds))
    total = float(rows.weights.sum())
    return [
        (
            t,
            float(u / (u + d)) if u + d else float("nan"),
            float(u / max(_total(rows, 1), 1e-300)),
            float((u + d) / total),
        )
        for t, u, d in zip(thresholds, ups, downs, strict=True)
    ]


def _at(rows: Rows) -> tuple[Array, Array, Array]:
    """Up to 100 scores, the highest first, and the weight of positives and of negatives whose score is at least as high."""
    thresholds = np.unique(np.quantile(rows.prediction, np.linspace(0, 1, POINTS), method="inverted_cdf"))[::-1]
    return thresholds, *_above(rows, thresholds, "left")


def _above(rows: Rows, thresholds: Array, side: Literal["left", "right"] = "right") -> tuple[Array, Array]:
    """Weight of positives and of negatives whose score exceeds each threshold; with ``left``, or equals it."""
    order = np.argsort(rows.prediction, kind="stable")
    place = np.searchsorted(rows.prediction[order], thresholds, side=side)
    made = []
    for label in (1, 0):
        tail = np.concatenate([np.cumsum((rows.weights * (rows.label == label))[order][::-1])[::-1], [0.0]])
        made.append(tail[place])
    return made[0], made[1]


def _total(rows: Rows, label: int) -> float:
    return float(rows.weights[rows.label == label].sum())
