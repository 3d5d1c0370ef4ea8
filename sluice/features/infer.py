"""Sensible kinds where a use case names no features."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features.kinds.categorical import NO, YES
from sluice.features.spec import Boolean, Categorical, DateTime, Features, Numeric, Text
from sluice.progress import progress
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.statistics.artifact import SplitStatistics

MAX_VALUES = 1000
"""A text column of more values is a text if it has words, and else an identifier, which is left out."""
WORDS = 3
"""Words of a text, on average; shorter ones are names."""
LONG_TAIL = 10.0
"""A number whose top tenth spans so many times what the rest spans is put on a logarithmic scale."""
TIME = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d([.,]\d+)?([Zz]|[+-]\d\d:\d\d)?)?")


def infer(
    schema: Any, statistics: SplitStatistics, label: str, columns: Mapping[str, str], given: Features | None = None
) -> Features:
    """Kinds by the schema and the statistics of the train split.

    Timestamps, dates and texts that look like one are times; booleans and texts of yes and no are booleans; texts of up
    to `MAX_VALUES` values are categories, of more values and several words texts; numbers are numbers. The label,
    constants, columns without a value and identifiers are left out.

    Args:
        schema: names the columns.
        statistics: of the train split.
        label: the label's column.
        columns: the columns of the examples and their Arrow types.
        given: what is said beside the kinds: a user's own preprocessing.

    Raises:
        SluiceError: nothing is left.
    """
    found: dict[str, list[Any]] = {}
    for feature in schema.feature:
        name = feature.name
        if name == label or name not in columns:
            continue
        time = columns[name].startswith(("timestamp", "date"))
        kind = DateTime(name=name) if time else _kind(name, statistics.feature(name))
        if kind and _varies(statistics.feature(name)):
            found.setdefault(type(kind).__name__.lower(), []).append(kind)
    if not found:
        raise SluiceError(
            "no column looks like a feature", where="features", remedy="name them under features in sluice.yaml"
        )
    for kinds, specs in found.items():
        progress(f"{kinds}: {', '.join(spec.name for spec in specs)}")
    return Features(**found, preprocess=given.preprocess if given else Features().preprocess)


def _varies(feature: Any) -> bool:
    """Whether there are two values, the missing one included."""
    common = common_of(feature)
    text, number = feature.string_stats, feature.num_stats
    distinct = text.unique if feature.HasField("string_stats") else 1 + (number.max > number.min)
    return bool(common.num_non_missing and distinct + (common.num_missing > 0) > 1)


def _kind(name: str, feature: Any) -> Any:
    """The spec of a column that is no timestamp; None for an identifier."""
    if feature.HasField("num_stats"):
        return Numeric(name=name, log=_long_tailed(feature.num_stats))
    facts = feature.string_stats
    seen = {bucket.label: bucket.sample_count for bucket in facts.rank_histogram.buckets if bucket.label}
    if seen and all(value.lower() in YES + NO for value in seen):
        return Boolean(name=name)
    if seen and all(TIME.fullmatch(value) for value in seen):
        return DateTime(name=name)
    if facts.unique <= MAX_VALUES:
        return Categorical(name=name)
    words = sum(len(value.split()) * rows for value, rows in seen.items()) / max(1, sum(seen.values()))
    return Text(name=name, hash_buckets=256, ngrams=2) if words >= WORDS else None


def _long_tailed(facts: Any) -> bool:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    for kept in facts.histograms:
        if kept.type == statistics_pb2.Histogram.QUANTILES:
            rest = kept.buckets[-1].low_value - kept.buckets[0].low_value
            return bool(facts.min >= 0 and facts.max - kept.buckets[-1].low_value > LONG_TAIL * rest > 0)
    return False
