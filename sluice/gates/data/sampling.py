"""What two samples of one population differ by: values that only one of them has, and how much of each is missing.

Both bounds are conditional on the two samples taken together (a permutation test: under the null, which rows came to
which sample is a random draw), so that neither needs the unknown population.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.gates.data.evidence import Repetition

FAMILY = 0.001
"""Probability that any column of any split departs from an inferred schema by chance: Bonferroni over the tests. It is a
tenth of what a whole gate may refuse by chance (1 %): the other rules have their own."""


def unseen_rows(pooled: Iterable[tuple[int, int]], rows: int, baseline_rows: int, alpha: float) -> float:
    """How many rows of a sample may hold a value that another sample of the population does not have.

    Good's estimate (1953, "The population frequencies of species and the estimation of population parameters") of
    the unseen share is the share of values that were seen once. Given the pooled counts it has an exact form: a value
    with c rows in the pool is unseen in the baseline where all c were drawn into this sample, with a probability of at
    most q = (rows / (rows + baseline_rows))^c. These events are negatively associated (Joag-Dev and Proschan 1983), so
    Chernoff's bound holds as for independent ones: P(U >= x) <= alpha for

        x = min over t > 0 of (sum over values of log(1 + q (e^(t c) - 1)) + log(1 / alpha)) / t

    Args:
        pooled: pairs of (count, values that have it) over both samples; every value, known and unseen.
        rows: rows with a value in the sample that is judged.
        baseline_rows: rows with a value in the other.
        alpha: probability that chance alone exceeds the bound.

    Returns:
        Rows, at most `rows`.
    """
    held = np.array(sorted(pooled), dtype=np.float64).reshape(-1, 2)
    if not rows or not baseline_rows or not len(held):
        return float(rows)
    count, values = held.T
    log_q = count * math.log(rows / (rows + baseline_rows))
    held_q = log_q > -700  # what has no chance at all adds nothing
    count, values, log_q = count[held_q], values[held_q], log_q[held_q]
    t = np.geomspace(1e-8, 1e2, 400)[:, None]
    cumulants = (values * np.logaddexp(np.log1p(-np.exp(log_q)), t * count + log_q)).sum(axis=1)
    return min(float(rows), float(((cumulants - math.log(alpha)) / t[:, 0]).min()))


def drop_in_presence(present: int, rows: int, baseline_present: int, baseline_rows: int, alpha: float) -> float:
    """By how much the fraction present may be lower than another sample's by chance alone.

    Given how many rows of both samples have a value, their number in one of them is hypergeometric (Fisher's exact
    test, 1935), computed by the ratio of neighbouring terms around the mode.

    Args:
        present: rows with a value in the sample that is judged.
        rows: its rows.
        baseline_present: rows with a value in the other.
        baseline_rows: its rows.
        alpha: probability that chance alone exceeds the bound.

    Returns:
        A difference of fractions, 0 to 1: what both samples show with probability alpha or more.
    """
    if not rows or not baseline_rows:
        return 1.0
    held, total = present + baseline_present, rows + baseline_rows
    lowest, highest = max(0, held - baseline_rows), min(rows, held)
    mode = (rows + 1) * (held + 1) // (total + 2)
    spread = math.sqrt(rows * held * (total - held) * baseline_rows / total**2 / max(1, total - 1))
    reach = int(40 + 12 * spread)
    x = np.arange(max(lowest, mode - reach), min(highest, mode + reach) + 1, dtype=np.float64)
    with np.errstate(divide="ignore"):
        ratios = np.log(held - x[:-1]) + np.log(rows - x[:-1]) - np.log(x[1:]) - np.log(total - held - rows + x[1:])
    log_p = np.concatenate([[0.0], np.cumsum(ratios)])
    p = np.exp(log_p - log_p.max())
    below = np.cumsum(p) / p.sum()
    fewest = float(x[int(np.searchsorted(below, alpha, side="right"))])
    return max(0.0, (held - fewest) / baseline_rows - fewest / rows)


def distinct_share(rows: int, before: Repetition) -> float:
    """The share of distinct rows that is expected of a sample, by another of the population.

    Rows of few columns repeat by nature, and the more of them the more. One more row is a new one with a probability of
    single / rows (Good 1953), so that distinct rows grow as rows ^ (single / distinct), Heaps' law (1978) with the
    exponent that holds at the other's size. The exponent falls with the rows: for many more rows it expects too many.

    Args:
        rows: of the sample.
        before: the other's.

    Returns:
        1 where nothing repeated; the other's share for a sample that is not larger.
    """
    share = before.distinct / max(1, before.rows)
    if rows <= before.rows or not before.distinct:
        return share
    return float(share * (rows / before.rows) ** (before.single / before.distinct - 1))


def area_spread(area: float, classes: tuple[int, ...]) -> float:
    """Standard deviation of an area under the ROC curve (Hanley and McNeil 1982); 0 where there are not two classes."""
    if len(classes) != 2 or not math.prod(classes):
        return 0.0
    ups, downs = classes
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    return math.sqrt(
        max(0.0, (area * (1 - area) + (ups - 1) * (one - area**2) + (downs - 1) * (two - area**2)) / (ups * downs))
    )
