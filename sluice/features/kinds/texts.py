"""Texts as bags of n-grams, hashed (Weinberger et al. 2009) or of a vocabulary."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features import facts
from sluice.features.kinds.categorical import lookup
from sluice.features.kinds.columns import Columns, Step
from sluice.models.manifest import RawType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.features.spec import Text
    from sluice.statistics.artifact import SplitStatistics


def text(spec: Text, statistics: SplitStatistics) -> Step:
    """A text's part of the graph.

    Raises:
        SluiceError: it has no value, is a number, or the statistics do not give its vocabulary.
    """
    import tensorflow as tf

    where = f"features.text: {spec.name}"
    facts.counts(spec.name, statistics, where)
    words = [] if spec.hash_buckets else spec.vocabulary or _vocabulary(spec, statistics, where)
    size = spec.hash_buckets or len(words)
    table = None if spec.hash_buckets else lookup(words, range(len(words)), -1)

    def make(raw: Mapping[str, Any], out: Columns) -> None:
        grams = _in_graph(spec, raw[spec.name])
        ids = table.lookup(grams.values) if table else tf.strings.to_hash_bucket_fast(grams.values, size)
        rows, known = grams.value_rowids(), ids >= 0
        cells = tf.stack([tf.boolean_mask(rows, known), tf.cast(tf.boolean_mask(ids, known), tf.int64)], axis=1)
        shape = tf.stack([tf.shape(raw[spec.name], tf.int64)[0], size])
        found = tf.scatter_nd(cells, tf.ones(tf.shape(cells)[:1]), shape)
        out.block(spec.name, tf.math.divide_no_nan(found, tf.norm(found, axis=1, keepdims=True)), size)

    return Step({spec.name: RawType.STRING}, make, (table,) if table else ())


def ngrams(spec: Text, value: str) -> list[str]:
    """The n-grams of a text, as the graph finds them."""
    value = value.lower() if spec.lowercase else value
    parts = list(value) if spec.level == "char" else re.findall(r"[^\W_]+", value)
    joined = "" if spec.level == "char" else " "
    return [
        joined.join(parts[start : start + width])
        for width in range(1, spec.ngrams + 1)
        for start in range(len(parts) - width + 1)
    ]


def _in_graph(spec: Text, values: Any) -> Any:
    """The n-grams of texts of shape [batch], as a ragged tensor [batch, (n-grams)]."""
    import tensorflow as tf

    values = tf.strings.lower(values, encoding="utf-8") if spec.lowercase else values
    if spec.level == "char":
        parts = tf.strings.unicode_split(values, "UTF-8", errors="ignore")
    else:
        parts = tf.strings.split(tf.strings.regex_replace(values, r"[^\pL\pN]+", " "))
    separator = "" if spec.level == "char" else " "
    return tf.strings.ngrams(parts, tuple(range(1, spec.ngrams + 1)), separator)


def _vocabulary(spec: Text, statistics: SplitStatistics, where: str) -> list[str]:
    """The n-grams of most rows, counted over the values that the statistics keep.

    Raises:
        SluiceError: they do not keep all values.
    """
    seen, distinct = facts.counts(spec.name, statistics, where)
    if len(seen) < distinct:
        raise SluiceError(
            f"{spec.name!r} has {distinct:,} values, of which the statistics keep {len(seen):,}: too few for a "
            "vocabulary of n-grams", where=where, remedy="set hash_buckets, or give the vocabulary",
        )  # fmt: skip
    rows: Counter[str] = Counter()
    for value, count in seen.items():
        for gram in set(ngrams(spec, value)):
            rows[gram] += count
    frequent = sorted((gram for gram, count in rows.items() if count >= spec.min_count), key=lambda g: (-rows[g], g))
    if not frequent:
        raise SluiceError(f"no n-gram of {spec.name!r} occurs in {spec.min_count:,} rows", where=where,
                          remedy="lower min_count")  # fmt: skip
    return frequent[: spec.top_k]
