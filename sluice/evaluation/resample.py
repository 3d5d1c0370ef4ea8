"""The paired bootstrap: one weight a unit and resample, the same for every model (Efron and Tibshirani 1993, ch. 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.evaluation.metrics import METRICS, auc, linear_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.evaluation.metrics import Rows

    Array = NDArray[np.floating]

MANY = 20_000
"""Above so many units they are pooled at random into half as many: the spread of a sum over 10,000 pools of rows is
that of the sum over the rows. Above so many rows AUC is linearised."""
CHUNK = 50
"""Resamples of an exact AUC in memory at a time."""


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
        count = int(self._units.max()) + 1
        drawn = random.integers(0, count, (resamples, count), dtype=np.int32)
        offsets = np.arange(resamples, dtype=np.int64)[:, None] * count
        counts = np.bincount((drawn + offsets).ravel(), minlength=resamples * count)
        self._weights = counts.reshape(resamples, count).astype(np.float32)

    def draws(self, name: str, rows: Rows, index: NDArray[np.int64]) -> Array:
        """A metric over some rows in every resample, shape [resamples].

        Args:
            name: the metric.
            rows: those rows.
            index: their positions among all rows.
        """
        units = self._units[index]
        if name == "auc" and len(index) <= MANY:
            chunks = np.array_split(self._weights, max(1, len(self._weights) // CHUNK))
            return np.concatenate([auc(rows, chunk[:, units]) for chunk in chunks])
        metric = linear_auc(rows) if name == "auc" else METRICS[name]
        parts = metric.parts(rows)
        sums = [np.bincount(units, part, minlength=self._weights.shape[1]) for part in parts.T]
        return metric.finish(self._weights.astype(np.float64) @ np.stack(sums, axis=1))
