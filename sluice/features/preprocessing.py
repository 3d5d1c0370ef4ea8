"""The preprocessing model: Keras layers set from statistics, from raw features to model inputs.

Nothing is adapted: means, ranges, quantiles and vocabularies come from the statistics artifact, so that the raw data
is not read again.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.models.manifest import RawType
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.features.spec import Categorical, Features, Numeric
    from sluice.statistics.artifact import SplitStatistics

PLAN_FILE = "preprocessing.json"
NUMBERS, IDS = "numbers", "ids"


@dataclass(frozen=True)
class Plan:
    """What the preprocessing makes.

    Attributes:
        raw: raw feature to its type at the serving signature.
        numbers: names of the columns of the float32 output ``numbers``, shape [batch, len(numbers)].
        ids: names of the columns of the int32 output ``ids``, shape [batch, len(ids)].
        sizes: number of ids of each, in order; ids run from 0.
        embeddings: embedding size of each, in order.
    """

    raw: dict[str, RawType]
    numbers: tuple[str, ...]
    ids: tuple[str, ...]
    sizes: tuple[int, ...]
    embeddings: tuple[int, ...]

    def save(self, folder: Path) -> None:
        """Write ``preprocessing.json``."""
        (folder / PLAN_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read ``preprocessing.json``."""
        plain = json.loads((folder / PLAN_FILE).read_text())
        raw = {name: RawType(kind) for name, kind in plain.pop("raw").items()}
        return cls(raw, *(tuple(plain[key]) for key in ("numbers", "ids", "sizes", "embeddings")))


def build(features: Features, statistics: SplitStatistics) -> tuple[Any, Plan]:
    """The preprocessing as a `keras.Model`, and what it makes.

    Args:
        features: what the model sees; see `sluice.features.infer` for none given.
        statistics: of the train split.

    Returns:
        A model that takes a dict of raw features, each of shape [batch], and returns ``numbers`` and ``ids``.

    Raises:
        SluiceError: a feature is not in the statistics, has no value, or has a type that its kind cannot take.
    """
    import keras

    raw: dict[str, RawType] = {}
    inputs: dict[str, Any] = {}
    numbers: list[tuple[str, Any]] = []
    ids: list[tuple[str, Any, int, int]] = []
    for number in features.numeric:
        raw[number.name], inputs[number.name] = RawType.FLOAT, keras.Input((), dtype="float32", name=number.name)
        numbers += _numbers(number, inputs[number.name], statistics)
    for category in features.categorical:
        raw[category.name], inputs[category.name] = RawType.STRING, keras.Input((), dtype="string", name=category.name)
        ids.append((category.name, *_ids(category, inputs[category.name], statistics)))
    outputs = {}
    if numbers:
        outputs[NUMBERS] = keras.ops.stack([column for _, column in numbers], axis=1)
    if ids:
        outputs[IDS] = keras.ops.stack([keras.ops.cast(column, "int32") for _, column, _, _ in ids], axis=1)
    plan = Plan(
        raw, tuple(n for n, _ in numbers), tuple(i[0] for i in ids), tuple(i[2] for i in ids), tuple(i[3] for i in ids)
    )
    return keras.Model(inputs, outputs, name="preprocessing"), plan


def _numbers(spec: Numeric, column: Any, statistics: SplitStatistics) -> list[tuple[str, Any]]:
    """The columns that a number becomes."""
    from keras import layers, ops

    feature = statistics.feature(spec.name)
    if not feature.HasField("num_stats"):
        raise SluiceError(f"{spec.name!r} is text, and listed as a number", where=f"features.numeric: {spec.name}",
                          remedy="list it under features.categorical")  # fmt: skip
    facts, common = feature.num_stats, common_of(feature)
    if common.num_non_missing == 0:
        raise SluiceError(f"{spec.name!r} has no value in the train split", where=f"features.numeric: {spec.name}",
                          remedy="take it out of features, or give data that has it")  # fmt: skip
    missing = ops.cast(ops.isnan(column), "float32")
    made: list[tuple[str, Any]] = []
    value = ops.where(ops.isnan(column), facts.median if spec.log or spec.buckets else facts.mean, column)
    if spec.log:
        value = ops.log1p(ops.maximum(value - facts.min, 0.0))
    if spec.buckets:
        edges = _quantiles(facts, spec.buckets)
        bucket = layers.Discretization(bin_boundaries=edges, name=f"{spec.name}_buckets")(value)
        hot = ops.one_hot(bucket, len(edges) + 1)
        made += [(f"{spec.name}_bucket_{index}", hot[:, index]) for index in range(len(edges) + 1)]
    else:
        made.append((spec.name, _scaled(spec, value, facts)))
    if spec.missing_indicator and common.num_missing:
        made.append((f"{spec.name}_missing", missing))
    return made


def _scaled(spec: Numeric, value: Any, facts: Any) -> Any:
    low, high, mean, deviation = facts.min, facts.max, facts.mean, facts.std_dev
    if spec.log:  # of the logarithm: from the quantiles, as moments do not carry over
        logs = [math.log1p(max(0.0, q - facts.min)) for q in _quantiles(facts, 100, inner=False)]
        low, high, mean = logs[0], logs[-1], sum(logs) / len(logs)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in logs) / len(logs))
    if spec.scaling == "z_score":
        return (value - mean) / (deviation or 1.0)
    if spec.scaling == "min_max":
        return (value - low) / ((high - low) or 1.0)
    return value


def _quantiles(facts: Any, buckets: int, *, inner: bool = True) -> list[float]:
    """Quantiles, between those of TFDV's quantile histogram by interpolation; `inner` leaves out the ends and repeats."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    for histogram in facts.histograms:
        if histogram.type == statistics_pb2.Histogram.QUANTILES:
            ends = [histogram.buckets[0].low_value, *(b.high_value for b in histogram.buckets)]
            wanted = np.interp(np.linspace(0, 1, buckets + 1), np.linspace(0, 1, len(ends)), ends).tolist()
            return sorted(set(wanted[1:-1])) if inner else wanted
    raise SluiceError("the statistics hold no quantiles", where="statistics", remedy="compute them with validate")


def _ids(spec: Categorical, column: Any, statistics: SplitStatistics) -> tuple[Any, int, int]:
    """The id column of a category, the number of ids, and its embedding size. Missing is the empty text, a value."""
    from keras import layers

    if spec.hash_buckets:
        size = spec.hash_buckets
        ids = layers.Hashing(size, name=f"{spec.name}_hash")(column)
    else:
        words = _vocabulary(spec, statistics)
        lookup = layers.StringLookup(vocabulary=words, num_oov_indices=spec.oov_buckets, name=f"{spec.name}_lookup")
        ids, size = lookup(column), len(words) + spec.oov_buckets
    return ids, size, spec.embedding or min(50, round(1.6 * size**0.56))


def _vocabulary(spec: Categorical, statistics: SplitStatistics) -> list[str]:
    """The values that get an id of their own, the most frequent first.

    Raises:
        SluiceError: the statistics keep fewer values than asked for.
    """
    feature = statistics.feature(spec.name)
    if not feature.HasField("string_stats"):
        raise SluiceError(f"{spec.name!r} is a number in the statistics, and listed as a category",
                          where=f"features.categorical: {spec.name}", remedy="run validate with the same features")  # fmt: skip
    ranked = feature.string_stats.rank_histogram.buckets
    if len(ranked) < min(spec.top_k, feature.string_stats.unique):
        raise SluiceError(
            f"{spec.name!r} has {feature.string_stats.unique:,} values, of which the statistics keep {len(ranked):,}",
            where=f"features.categorical: {spec.name}", remedy=f"set top_k to {len(ranked)} or less, or hash_buckets",
        )  # fmt: skip
    words = [b.label for b in ranked if b.sample_count >= spec.min_count][: spec.top_k]
    missing = common_of(feature).num_missing >= max(1, spec.min_count)
    return [word for word in words if word] + ([""] if missing or "" in words else [])
