"""Categories by vocabulary or hash, yes and no, and categories taken together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features import facts
from sluice.features.kinds.columns import Columns, Step
from sluice.models.manifest import RawType
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sluice.features.spec import Boolean, Categorical, Cross
    from sluice.statistics.artifact import SplitStatistics

YES = ("true", "1", "1.0", "yes", "y", "t")
NO = ("false", "0", "0.0", "no", "n", "f")


def categorical(spec: Categorical, statistics: SplitStatistics) -> Step:
    """A category's part of the graph: out-of-vocabulary ids first, then the vocabulary, the most frequent first.

    Raises:
        SluiceError: it has no value, is a number, or the statistics keep fewer values than asked for.
    """
    import tensorflow as tf

    where = f"features.categorical: {spec.name}"
    if spec.hash_buckets:
        facts.present(spec.name, statistics, where)
        return Step(
            {spec.name: RawType.STRING},
            lambda raw, out: out.category(
                spec.name,
                tf.strings.to_hash_bucket_fast(raw[spec.name], spec.hash_buckets),
                spec.hash_buckets,
                spec.embedding,
            ),
        )
    words = _vocabulary(spec, statistics, where)
    several = spec.oov_buckets > 1
    table = lookup(words, range(spec.oov_buckets, spec.oov_buckets + len(words)), -1 if several else 0)

    def make(raw: Mapping[str, Any], out: Columns) -> None:
        ids = table.lookup(raw[spec.name])
        if several:
            hashed = tf.strings.to_hash_bucket_fast(raw[spec.name], spec.oov_buckets)
            ids = tf.where(ids < 0, tf.cast(hashed, tf.int32), ids)
        out.category(spec.name, ids, len(words) + spec.oov_buckets, spec.embedding)

    return Step({spec.name: RawType.STRING}, make, (table,))


def boolean(spec: Boolean, statistics: SplitStatistics) -> Step:
    """A yes or no's part of the graph.

    Raises:
        SluiceError: it has no value, or one that is neither.
    """
    import tensorflow as tf

    where = f"features.boolean: {spec.name}"
    seen, _ = facts.counts(spec.name, statistics, where)
    strange = [value for value in seen if value and value.lower() not in YES + NO]
    if strange:
        raise SluiceError(f"{spec.name!r} is neither yes nor no where it is {strange[0]!r}", where=where,
                          remedy=f"list it under features.categorical; known: {', '.join(YES + NO)}")  # fmt: skip
    yes = sum(rows for value, rows in seen.items() if value.lower() in YES)
    share = yes / max(1, sum(rows for value, rows in seen.items() if value))
    missing = common_of(statistics.feature(spec.name)).num_missing + seen.get("", 0)
    table = lookup(YES + NO, [1] * len(YES) + [0] * len(NO), -1)

    def make(raw: Mapping[str, Any], out: Columns) -> None:
        value = tf.cast(table.lookup(tf.strings.lower(raw[spec.name])), tf.float32)
        out.number(spec.name, tf.where(value < 0, share, value))
        if spec.missing_indicator and missing:
            out.number(spec.name, tf.cast(value < 0, tf.float32), "missing")

    return Step({spec.name: RawType.STRING}, make, (table,))


def cross(spec: Cross) -> Step:
    """A cross's part of the graph, from the ids of features that were made before it."""
    import tensorflow as tf

    def make(_: Mapping[str, Any], out: Columns) -> None:
        parts = [out.ids[name] for name in spec.features]
        ids = tf.zeros_like(parts[0].values, tf.int64)
        for part in parts:
            ids = ids * part.size + tf.cast(part.values, tf.int64)
        size = math.prod(part.size for part in parts)
        if size > spec.hash_buckets:
            ids, size = tf.strings.to_hash_bucket_fast(tf.strings.as_string(ids), spec.hash_buckets), spec.hash_buckets
        out.cross(spec.name, ids, size, spec.embedding)

    return Step({}, make)


def lookup(words: Sequence[str], ids: Sequence[int], default: int) -> Any:
    """A table from texts to int32."""
    import tensorflow as tf

    pairs = tf.lookup.KeyValueTensorInitializer(list(words), list(ids), tf.string, tf.int32)
    return tf.lookup.StaticHashTable(pairs, default)


def _vocabulary(spec: Categorical, statistics: SplitStatistics, where: str) -> list[str]:
    """The values that get an id of their own, the most frequent first.

    Raises:
        SluiceError: the statistics keep fewer values than asked for.
    """
    seen, distinct = facts.counts(spec.name, statistics, where)
    if len(seen) < min(spec.top_k, distinct):
        raise SluiceError(
            f"{spec.name!r} has {distinct:,} values, of which the statistics keep {len(seen):,}", where=where,
            remedy=f"set top_k to {len(seen)} or less, or hash_buckets",
        )  # fmt: skip
    missing = common_of(statistics.feature(spec.name)).num_missing + seen.pop("", 0)  # the empty text is no other value
    words = [value for value, rows in seen.items() if rows >= spec.min_count][: spec.top_k]
    words += [""] if missing >= spec.min_count else []
    if not words:
        raise SluiceError(f"no value of {spec.name!r} occurs in {spec.min_count:,} rows", where=where,
                          remedy="lower min_count, or set hash_buckets")  # fmt: skip
    return words
