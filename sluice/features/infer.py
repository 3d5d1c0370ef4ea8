"""Sensible kinds where a use case names no features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features.spec import Categorical, Features, Numeric

if TYPE_CHECKING:
    from sluice.statistics.artifact import SplitStatistics

MAX_VALUES = 1000
"""A text column with more values is taken for an identifier, and left out."""


def infer(schema: Any, statistics: SplitStatistics, label: str) -> Features:
    """Numbers as numbers, texts of up to `MAX_VALUES` values as categories; the label and identifiers are left out.

    Raises:
        SluiceError: nothing is left.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    numeric, categorical = [], []
    for feature in schema.feature:
        if feature.name == label:
            continue
        facts = statistics.feature(feature.name)
        if feature.type == schema_pb2.BYTES and facts.string_stats.unique <= MAX_VALUES:
            categorical.append(Categorical(name=feature.name))
        elif feature.type != schema_pb2.BYTES:
            numeric.append(Numeric(name=feature.name))
    if not numeric and not categorical:
        raise SluiceError(
            "no column looks like a feature", where="features", remedy="name them under features in sluice.yaml"
        )
    return Features(numeric=numeric, categorical=categorical)
