"""Numbers: imputed, clipped, on a logarithmic scale, scaled or bucketed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.features import facts
from sluice.features.kinds.columns import Columns, Step
from sluice.models.manifest import RawType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.features.facts import NumberFacts
    from sluice.features.spec import Numeric
    from sluice.statistics.artifact import SplitStatistics

CONSTANT = 1e-6
"""A number that deviates by a smaller part of its mean is constant, as far as float32 can tell."""


def numeric(spec: Numeric, statistics: SplitStatistics) -> Step:
    """A number's part of the graph.

    Raises:
        SluiceError: it has no value, is text, or has infinite values that nothing settles.
    """
    import tensorflow as tf

    where = f"features.numeric: {spec.name}"
    known = facts.number(spec.name, statistics, where)
    low, high = _range(spec, known, where)
    filled = _imputed(spec, known, where)
    shift, scale = _scaling(spec, known, (low, high))
    edges = known.quantiles(spec.buckets) if spec.buckets else []

    def make(raw: Mapping[str, Any], out: Columns) -> None:
        missing = tf.math.is_nan(raw[spec.name])
        value = tf.where(missing, tf.constant(filled, tf.float32), raw[spec.name])
        if spec.clip:
            value = tf.clip_by_value(value, *(tf.constant(bound, tf.float32) for bound in spec.clip))
        if spec.buckets:
            bucket = tf.raw_ops.Bucketize(input=value, boundaries=edges) + 1
            out.category(spec.name, tf.where(missing, 0, bucket), len(edges) + 2, spec.embedding)
            return
        if spec.log:
            value = tf.math.log1p(tf.maximum(value - low, 0.0))
        out.number(spec.name, (value - shift) / scale)
        if spec.missing_indicator and known.missing:
            out.number(spec.name, tf.cast(missing, tf.float32), "missing")

    return Step({spec.name: RawType.FLOAT}, make)


def _imputed(spec: Numeric, known: NumberFacts, where: str) -> float:
    """What a missing value is taken for; of buckets it has one of its own."""
    if spec.buckets:
        return 0.0
    if not isinstance(spec.impute, str):
        return float(spec.impute)
    robust = spec.log or not math.isfinite(known.mean)
    wanted = ("median" if robust else "mean") if spec.impute == "auto" else spec.impute
    least, most = spec.clip or (-math.inf, math.inf)
    median = min(max(known.median, least), most)
    filled = {"mean": known.mean, "median": median, "zero": 0.0}[wanted]
    if not math.isfinite(filled):
        raise SluiceError(f"{spec.name!r} has infinite values, and so no {wanted}", where=where,
                          remedy="set impute to a number, or take the infinite values out of the source")  # fmt: skip
    return filled


def _range(spec: Numeric, known: NumberFacts, where: str) -> tuple[float, float]:
    """The least and the greatest value, clipped ones.

    Raises:
        SluiceError: one is infinite, and is needed.
    """
    least, most = spec.clip or (-math.inf, math.inf)
    low, high = (min(max(end, least), most) for end in (known.low, known.high))
    needed = not spec.buckets and (spec.log or spec.scaling != "none")
    if needed and not (math.isfinite(low) and math.isfinite(high)):
        raise SluiceError(f"{spec.name!r} has infinite values in the train split", where=where,
                          remedy="set clip: [low, high], or buckets, or scaling: none")  # fmt: skip
    return low, high


def _scaling(spec: Numeric, known: NumberFacts, ends: tuple[float, float]) -> tuple[float, float]:
    """What is taken off, and what the rest is divided by."""

    def change(values: np.ndarray) -> np.ndarray:
        return np.log1p(np.maximum(values - ends[0], 0.0)) if spec.log else values

    if spec.buckets or spec.scaling == "none":
        return 0.0, 1.0
    low, high = change(np.array(ends)).tolist()
    if spec.scaling == "min_max":
        return low, (high - low) or 1.0
    mean, deviation = known.moments(change, low, high) if spec.log or spec.clip else (known.mean, known.deviation)
    return mean, deviation if deviation > CONSTANT * abs(mean) else 1.0
