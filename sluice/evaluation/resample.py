"""The paired bootstrap: one weight a unit and resample, the same for every model (Efron and Tibshirani 1993, ch. 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.evaluation.metrics import CURVES, score_bins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.evaluation.metrics import Metric, Rows

    Array = NDArray[np.floating]

MANY = 20_000
"""Above so many units they are pooled at random into half as many: the spread of a sum over 10,000 pools of rows is
that of the sum over the rows. Above so many rows curves are resampled over `COARSE` bins of scores."""
COARSE = 200
CHUNK = 50
"""Resamples of an exact curve in memory at a time."""


class Resamples:
    """Draws with replacement of the units that rows belong to.

    Args:
        units: unit of each row: the row itself, or a group that is drawn as a whole; any integers.
        resamples: number of draws.
        seed: of the draws.
    """

    def __init__(self, units: NDArray[np.int64], resamples: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        names, self._units = np.unique(units, return_inverse=True)
        if len(names) > MANY:
            self._units = random.permutation(len(names))[self._units] % (MANY // 2)
        self._count = int(self._units.max()) + 1
        self._weights = np.empty((resamples, self._count), np.float32)
        for row in self._weights:
            row[:] = np.bincount(random.integers(0, self._count, self._count), minlength=self._count)

    def draws(self, name: str, metric: Metric | None, rows: Rows, index: NDArray[np.int64], exact: float) -> Array:
        """A metric over some rows in every resample, shape [resamples].

        Args:
            name: the metric.
            metric: how it is summed; None for curves.
            rows: those rows.
            index: their positions among all rows.
            exact: the metric over them; coarse draws are centred on it.
        """
        units = self._units[index]
        if metric is not None:
            parts = metric.parts(rows) * rows.weights[:, None]
            sums = [np.bincount(units, part, minlength=self._count) for part in parts.T]
            return metric.finish(self._weights.astype(np.float64) @ np.stack(sums, axis=1))
        if len(index) > MANY:
            return self._coarse(name, rows, units, exact)
        bins, positive = score_bins(rows), rows.label == 1
        parts_of = [(np.flatnonzero(held), bins[held]) for held in (positive, ~positive)]
        chunks = np.array_split(self._weights, max(1, len(self._weights) // CHUNK))
        return np.concatenate([
            CURVES[name](*(_binned(chunk, units[held], rows.weights[held], where, int(bins.max()) + 1) for held, where in parts_of))
            for chunk in chunks
        ])  # fmt: skip

    def _coarse(self, name: str, rows: Rows, units: NDArray[np.int64], exact: float) -> Array:
        """A curve over many rows: unit by bin of scores is counted once, and all resamples are a matrix product."""
        edges = np.quantile(rows.prediction, np.linspace(0, 1, COARSE + 1)[1:-1])
        place = units * COARSE + np.searchsorted(edges, rows.prediction, side="left")
        histograms = []
        for held in (rows.label == 1, rows.label != 1):
            counts = np.bincount(place[held], rows.weights[held], minlength=self._count * COARSE)
            histograms.append(counts.reshape(self._count, COARSE).astype(np.float32))
        whole = CURVES[name](*(h.sum(axis=0, keepdims=True, dtype=np.float64) for h in histograms))[0]
        return CURVES[name](*((self._weights @ h).astype(np.float64) for h in histograms)) - whole + exact


def _binned(weights: Array, units: NDArray[np.int64], row_weights: Array, bins: NDArray[np.int64], size: int) -> Array:
    """Histograms of some rows' scores in some resamples, shape [resamples, size]."""
    total = np.zeros((len(weights), size))
    if len(units):
        order = np.argsort(bins, kind="stable")
        held, starts = np.unique(bins[order], return_index=True)
        drawn = weights[:, units[order]]
        if not (row_weights == 1).all():
            drawn = drawn * row_weights[order]
        total[:, held] = np.add.reduceat(drawn, starts, axis=1)
    return total
