"""How far two distributions are apart, and how far two samples of one population would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def divergence(current: ArrayLike, baseline: ArrayLike) -> NDArray[np.float64]:
    """Jensen-Shannon divergence in bits of counts over the last axis (Lin 1991); 0 where both are empty.

    Args:
        current: counts, shape [..., bins].
        baseline: counts, shape [..., bins].

    Returns:
        Divergence, shape [...], from 0 (equal) to 1 (disjoint).
    """
    p, q = (np.asarray(counts, dtype=np.float64) for counts in (current, baseline))
    p = p / np.maximum(p.sum(axis=-1, keepdims=True), 1)
    q = q / np.maximum(q.sum(axis=-1, keepdims=True), 1)
    middle = (p + q) / 2

    def kl(part: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(part > 0, part * np.log2(part / middle), 0.0)
        return np.asarray(terms.sum(axis=-1), dtype=np.float64)

    return np.clip((kl(p) + kl(q)) / 2, 0.0, 1.0)


def noise_floor(current: ArrayLike, baseline: ArrayLike, *, quantile: float, resamples: int, seed: int) -> float:
    """The divergence that two samples of the pooled population, of these sizes, exceed with probability 1 - quantile.

    Args:
        current: counts, shape [bins].
        baseline: counts, shape [bins].
        quantile: e.g. 0.9995.
        resamples: draws; where they are too few for the quantile, a normal tail is fitted to them.
        seed: of the draws.
    """
    current, baseline = np.asarray(current, dtype=np.int64), np.asarray(baseline, dtype=np.int64)
    pooled = current + baseline
    if not current.sum() or not baseline.sum():
        return 0.0
    pooled = pooled / pooled.sum()
    random = np.random.default_rng(seed)
    null = divergence(
        random.multinomial(current.sum(), pooled, size=resamples),
        random.multinomial(baseline.sum(), pooled, size=resamples),
    )
    if (1 - quantile) * resamples >= 1:
        return float(np.quantile(null, quantile))
    # A divergence of counts is close to a scaled chi-square (its cube root to a normal: Wilson and Hilferty 1931).
    roots = np.cbrt(null)
    return float((roots.mean() + _normal_quantile(quantile) * roots.std(ddof=1)) ** 3)


def _normal_quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
