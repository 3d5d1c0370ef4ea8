"""How far two distributions are apart, and how far two samples of one population would be."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def divergence(current: ArrayLike, baseline: ArrayLike) -> NDArray[np.float64]:
    """Jensen-Shannon divergence in bits of counts over the last axis (Lin 1991); 0 where both are empty.

    Args:
        current: counts, shape [..., bins].
        baseline: counts, shape [..., bins].

    Returns:
        Divergence, shape [...], from 0 (equal) to 1 (disjoint).
    """
    p, q = _shares(current), _shares(baseline)
    middle = (p + q) / 2

    def kl(part: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(part > 0, part * np.log2(part / middle), 0.0)
        return np.asarray(terms.sum(axis=-1), dtype=np.float64)

    return np.clip((kl(p) + kl(q)) / 2, 0.0, 1.0)


def infinity_norm(current: ArrayLike, baseline: ArrayLike) -> NDArray[np.float64]:
    """Largest change of one value's share, of counts over the last axis; shapes as for `divergence`."""
    return np.asarray(np.abs(_shares(current) - _shares(baseline)).max(axis=-1), dtype=np.float64)


MEASURES: dict[str, Callable[[ArrayLike, ArrayLike], NDArray[np.float64]]] = {"js": divergence, "linf": infinity_norm}


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    held = np.asarray(counts, dtype=np.float64)
    return held / np.maximum(held.sum(axis=-1, keepdims=True), 1)


def pool_tail(current: ArrayLike, baseline: ArrayLike, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put the values that are rarer than `share` in both samples into one bin: singly each is noise."""
    now, then = np.asarray(current, np.int64), np.asarray(baseline, np.int64)
    rare = (_shares(now) < share) & (_shares(then) < share)
    if rare.sum() < 2:
        return now, then
    return np.append(now[~rare], now[rare].sum()), np.append(then[~rare], then[rare].sum())


def noise_floor(
    current: ArrayLike, baseline: ArrayLike, *, quantile: float, resamples: int, seed: int, measure: str = "js"
) -> float:
    """The distance that two samples of the pooled population, of these sizes, exceed with probability 1 - quantile.

    Args:
        current: counts, shape [bins].
        baseline: counts, shape [bins].
        quantile: e.g. 0.9995.
        resamples: draws; where they are too few for the quantile, a normal tail is fitted to their cube roots (a
            divergence of counts is close to a scaled chi-square: Wilson and Hilferty 1931).
        seed: of the draws.
        measure: ``js`` or ``linf``.
    """
    current, baseline = np.asarray(current, dtype=np.int64), np.asarray(baseline, dtype=np.int64)
    if not current.sum() or not baseline.sum():
        return 0.0
    pooled = (current + baseline) / (current.sum() + baseline.sum())
    random = np.random.default_rng(seed)
    one, two = (random.multinomial(counts.sum(), pooled, size=resamples) for counts in (current, baseline))
    null = MEASURES[measure](one, two)
    if (1 - quantile) * resamples >= 1:
        return float(np.quantile(null, quantile))
    roots = np.cbrt(null)
    return float((roots.mean() + NormalDist().inv_cdf(quantile) * roots.std(ddof=1)) ** 3)
