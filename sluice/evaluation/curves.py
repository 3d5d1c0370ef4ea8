"""Curves and tables of a binary task, for reports and for KFP's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.evaluation.metrics import Rows

    Array = NDArray[np.floating]

POINTS = 100
Z = 1.96
"""Of a 95 % interval."""


def roc(rows: Rows) -> tuple[Array, Array, Array]:
    """False positive rate, true positive rate and threshold at up to 100 thresholds, each of shape [points]."""
    thresholds = np.unique(np.quantile(rows.prediction, np.linspace(0, 1, POINTS)))[::-1]
    ups, downs = _above(rows, thresholds)
    return downs / max(_total(rows, 0), 1e-300), ups / max(_total(rows, 1), 1e-300), thresholds


def precision_recall(rows: Rows) -> tuple[Array, Array]:
    """Recall and precision at the thresholds of `roc`."""
    thresholds = np.unique(np.quantile(rows.prediction, np.linspace(0, 1, POINTS)))[::-1]
    ups, downs = _above(rows, thresholds)
    return ups / max(_total(rows, 1), 1e-300), ups / np.maximum(ups + downs, 1e-300)


def roc_band(rows: Rows) -> Array:
    """Half width of a pointwise 95 % interval of the true positive rate (Wald), at the thresholds of `roc`."""
    _, rate, _ = roc(rows)
    return Z * np.sqrt(np.clip(rate * (1 - rate), 0, None) / max(_total(rows, 1), 1))


def reliability(rows: Rows, bins: int = 10) -> list[tuple[float, float, float]]:
    """Mean prediction, observed rate and half width of its 95 % interval, in bins of equal count."""
    order = np.argsort(rows.prediction, kind="stable")
    made = []
    for part in np.array_split(order, bins):
        if len(part):
            rate = float(np.average(rows.label[part], weights=rows.weights[part]))
            half = Z * (rate * (1 - rate) / len(part)) ** 0.5
            made.append((float(np.average(rows.prediction[part], weights=rows.weights[part])), rate, half))
    return made


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


def _above(rows: Rows, thresholds: Array) -> tuple[Array, Array]:
    """Weight of positives and of negatives whose score exceeds each threshold."""
    order = np.argsort(rows.prediction, kind="stable")
    place = np.searchsorted(rows.prediction[order], thresholds, side="right")
    made = []
    for label in (1, 0):
        tail = np.concatenate([np.cumsum((rows.weights * (rows.label == label))[order][::-1])[::-1], [0.0]])
        made.append(tail[place])
    return made[0], made[1]


def _total(rows: Rows, label: int) -> float:
    return float(rows.weights[rows.label == label].sum())
