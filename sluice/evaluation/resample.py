"""The paired bootstrap: one weight a row and resample, the same for every model (Efron and Tibshirani 1993, ch. 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BUDGET = 16_000_000
"""Weights in memory at a time."""


def weights(
    rows: int, resamples: int, seed: int, groups: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.float32]]:
    """Weights in chunks of shape [some resamples, rows]: how often each row is drawn with replacement.

    Args:
        rows: number of rows.
        resamples: number of resamples.
        seed: of the draws.
        groups: group of each row, 0 to the number of groups - 1: groups are drawn instead of rows.
    """
    random = np.random.default_rng(seed)
    units = rows if groups is None else int(groups.max()) + 1
    size = max(1, BUDGET // rows)
    for start in range(0, resamples, size):
        chunk = min(size, resamples - start)
        drawn = random.integers(0, units, (chunk, units))
        drawn += np.arange(chunk)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=chunk * units).reshape(chunk, units).astype(np.float32)
        yield counts if groups is None else counts[:, groups]
