"""Intervals of paired resamples, and what follows from them."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def interval(draws: NDArray[np.floating], confidence: float) -> tuple[float, float]:
    """Percentile interval of the draws that are defined; the whole line where fewer than `confidence` of them are.

    A draw without a value (it holds no row of a class, say) may stand for any: a few rows of a class tell next to nothing.

    The quantiles are those of rank p (n + 1), so that few draws do not make the interval too narrow.
    """
    defined = draws[np.isfinite(draws)]
    if len(defined) < max(1, len(draws) * confidence):
        return -math.inf, math.inf
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail], method="weibull")
    return float(low), float(high)


def worse(draws: NDArray[np.floating], need: float) -> float:
    """One-sided p-value of "at least `need`", from the draws' mean and spread; 1 where nothing is defined."""
    defined = draws[np.isfinite(draws)]
    if len(defined) < max(1, len(draws) / 2):
        return 1.0
    spread = float(defined.std())
    if spread == 0:
        return 0.0 if defined[0] < need else 1.0
    return NormalDist().cdf((float(defined.mean()) - need) / spread)


def holm(values: Mapping[str, float], alpha: float) -> set[str]:
    """Names whose hypothesis is rejected at family-wise level `alpha` (Holm 1979)."""
    rejected: set[str] = set()
    for index, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        if value > alpha / (len(values) - index):
            break
        rejected.add(name)
    return rejected


def more_rows(rows: int, distance: float, half: float) -> str:
    """How many rows would settle it: an interval's width falls with the square root of the rows."""
    if not math.isfinite(half):
        return (
            "too many resamples have no value, as too few rows have one of the labels: at least "
            f"{rows:,} more evaluation rows are wanted"
        )
    if abs(distance) < half / 100:
        return "it is as close to the bound as can be told; move the margin, or gather far more rows"
    return f"about {math.ceil(rows * ((half / abs(distance)) ** 2 - 1)):,} more evaluation rows would settle it"
