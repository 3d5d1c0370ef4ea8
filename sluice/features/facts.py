"""What the statistics of the train split say of a column, as the preprocessing needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.statistics.artifact import Histogram, SplitStatistics

GRID = (np.arange(1000) + 0.5) / 1000


@dataclass(frozen=True)
class NumberFacts:
    """A number's distribution.

    Attributes:
        mean: exact, as are deviation, low and high; not a number where there are infinite values.
        deviation: standard deviation, of the population.
        median: of a sketch, within 1 % of the rows.
        low: the least value.
        high: the greatest.
        missing: rows without a value.
        values: points of the distribution function, ascending and finite.
        fractions: share of the rows up to each, ascending.
    """

    mean: float
    deviation: float
    median: float
    low: float
    high: float
    missing: int
    values: np.ndarray
    fractions: np.ndarray

    def quantiles(self, buckets: int) -> list[float]:
        """The inner ends of so many buckets of equal share, without repeats, by interpolation."""
        inner = np.linspace(0, 1, buckets + 1)[1:-1]
        return np.unique(np.interp(inner, self.fractions, self.values).astype(np.float32)).tolist()

    def moments(self, change: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> tuple[float, float]:
        """Mean and deviation of changed values between two ends, from the distribution function.

        They do not carry over exactly. `change` is ascending. Between points values are taken to lie evenly, and beyond
        the outermost ones to thin out with the third power.
        """
        points = change(self.values)
        changed = np.interp(GRID, self.fractions, points)
        inner = self.fractions[(self.fractions > 0) & (self.fractions < 1)]
        if len(inner):
            first, last = inner.min(), inner.max()
            below, above = np.interp([first, last], self.fractions, points)
            left, right = np.clip(GRID / first, 0, 1), np.clip((1 - GRID) / (1 - last), 0, 1)
            changed = np.where(first > GRID, points[0] + (below - points[0]) * np.cbrt(left), changed)
            changed = np.where(last < GRID, points[-1] - (points[-1] - above) * np.cbrt(right), changed)
        changed = np.clip(changed, low, high)
        return float(changed.mean()), float(changed.std())


def number(name: str, statistics: SplitStatistics, where: str) -> NumberFacts:
    """What is known of a number.

    Raises:
        SluiceError: it is not in the statistics, has no value, or is text.
    """
    feature = present(name, statistics, where)
    if not feature.HasField("num_stats"):
        raise SluiceError(f"{name!r} is text, and listed as a number", where=where,
                          remedy="list it under features.categorical, boolean, datetime or text")  # fmt: skip
    facts = feature.num_stats
    values, fractions = _distribution(facts, statistics.histograms.get(name))
    return NumberFacts(
        facts.mean, facts.std_dev, facts.median, facts.min, facts.max, facts.common_stats.num_missing, values, fractions
    )


def present(name: str, statistics: SplitStatistics, where: str) -> Any:
    """TFDV's statistics of a column that has a value.

    Raises:
        SluiceError: it is not in the statistics, or has no value.
    """
    feature = statistics.feature(name)
    if common_of(feature).num_non_missing == 0:
        raise SluiceError(f"{name!r} has no value in the train split", where=where,
                          remedy="take it out of features, or give data that has it")  # fmt: skip
    return feature


def counts(name: str, statistics: SplitStatistics, where: str) -> tuple[dict[str, int], int]:
    """A text's values and their rows, the most frequent first, as far as they are kept; and how many values there are.

    Raises:
        SluiceError: it is not in the statistics, has no value, or is a number.
    """
    feature = present(name, statistics, where)
    if not feature.HasField("string_stats"):
        raise SluiceError(f"{name!r} is a number in the statistics, and its values were not counted", where=where,
                          remedy="run validate with the same features")  # fmt: skip
    facts = feature.string_stats
    return {bucket.label: int(bucket.sample_count) for bucket in facts.rank_histogram.buckets}, facts.unique


def _distribution(facts: Any, histogram: Histogram | None) -> tuple[np.ndarray, np.ndarray]:
    """Points of the distribution function: TFDV's quantiles (a sketch) and our exact histogram together."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    values, fractions = np.empty(0), np.empty(0)
    for kept in facts.histograms:
        if kept.type == statistics_pb2.Histogram.QUANTILES:
            values = np.array([kept.buckets[0].low_value, *(bucket.high_value for bucket in kept.buckets)])
            fractions = np.linspace(0, 1, len(values))
    if histogram and histogram.edges:
        total = max(1, sum(histogram.counts))
        values = np.append(values, histogram.edges)
        fractions = np.append(fractions, np.cumsum(histogram.counts)[:-1] / total)
    if not len(values):
        raise SluiceError("the statistics hold no quantiles", where="statistics", remedy="compute them with validate")
    finite = values[np.isfinite(values)]
    values = np.clip(values, *((finite.min(), finite.max()) if len(finite) else (0.0, 0.0)))
    order = np.lexsort((fractions, values))
    return values[order], np.maximum.accumulate(fractions[order])
