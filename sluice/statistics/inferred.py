"""What an inferred schema was inferred from, kept in the schema itself, and how a split compares with it.

A schema outlives the statistics that it came from: it goes from champion to champion. So each feature carries the sizes
in `annotation.tag`, where TFX's tools keep what they do not read:

    tag: "sluice.present=7400/7501"      rows with a value, and all rows
    tag: "sluice.counts=4100,3290,10"    rows by value of its domain, in the domain's order

A bound is taken literally, without them, where a person set it: `sluice schema relax` removes the tag, and a value of
`min_fraction`, `min_domain_mass` or of the domain's length that the tags do not explain counts as set by a person.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from sluice.gates.data.evidence import Presence, UnseenValues
from sluice.statistics.artifact import common_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.statistics.artifact import SplitStatistics

DOMAIN_MASS = 0.99
"""Of a category's values this much must be known ones, beside what chance explains."""
PRESENCE_SLACK = 0.05
"""A column may be missing so much more often than it was seen to be, beside what chance explains."""
PRESENT, COUNTS = "sluice.present=", "sluice.counts="
TOO_FEW = ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_LOW_NUMBER_PRESENT")
TOLD_VALUES = 5


def mark(feature: Any, statistics: Any, domain: list[str]) -> None:
    """Set a feature's bounds, with room for what a sample does not show, and write down the sample's sizes.

    Args:
        feature: the schema's feature.
        statistics: TFDV's statistics of the column.
        domain: the values that the schema lists of it; empty where it lists none.
    """
    seen = common_of(statistics)
    rows = int(seen.num_non_missing + seen.num_missing)
    feature.presence.min_fraction = _least(int(seen.num_non_missing), rows)
    feature.presence.min_count = int(feature.presence.min_fraction > 0)
    tags = [f"{PRESENT}{int(seen.num_non_missing)}/{rows}"]
    if domain:
        counts = counts_of(statistics)
        feature.distribution_constraints.min_domain_mass = DOMAIN_MASS
        tags.append(COUNTS + ",".join(str(counts[value]) for value in domain))
    feature.annotation.tag.extend(tags)


def relax_domain(feature: Any, schema: Any, mass: float) -> None:
    """Let more of a feature's values be unknown ones; the bound is literal from now on.

    Raises:
        ValueError: it has no list of values, or the bound would not be looser.
    """
    if not domain_of(feature, schema):
        raise ValueError("the schema lists no values of it: there is no share of known ones to relax")
    if mass > feature.distribution_constraints.min_domain_mass:
        raise ValueError(
            f"{feature.distribution_constraints.min_domain_mass:g} of its values must be known ones; {mass:g} is stricter"
        )
    feature.distribution_constraints.min_domain_mass = mass
    _unmark(feature, COUNTS)


def relax_presence(feature: Any, fraction: float) -> None:
    """Let a feature be missing more often; the bound is literal from now on.

    What would still ask for more is relaxed with it: a number of rows that must have it, and a shape, which asks for a
    value in every row, becomes a number of values in those that have one.

    Raises:
        ValueError: the bound would not be looser.
    """
    asked = feature.presence
    strict = 1.0 if feature.HasField("shape") else asked.min_fraction
    if fraction > strict:
        raise ValueError(f"{strict:g} of the rows must have it; {fraction:g} is stricter")
    asked.min_fraction = fraction
    asked.min_count = min(asked.min_count, int(fraction > 0))
    if feature.HasField("shape") and fraction < 1:
        size = math.prod(dim.size for dim in feature.shape.dim)
        feature.value_count.min = feature.value_count.max = size  # one of: the shape is gone
    _unmark(feature, PRESENT)


def was_inferred(feature: Any) -> bool:
    """Whether a schema's feature carries the sizes of a sample."""
    return _sample(feature) is not None


def counts_of(statistics: Any) -> Counter[str]:
    """Rows by value of a column of texts."""
    return Counter({b.label: int(b.sample_count) for b in statistics.string_stats.rank_histogram.buckets})


def domain_of(feature: Any, schema: Any) -> list[str]:
    """The values that a schema lists of a feature."""
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    return next((list(domain.value) for domain in schema.string_domain if domain.name == feature.domain), [])


def compared(
    statistics: SplitStatistics, schema: Any, split: str, environment: str
) -> Iterator[tuple[UnseenValues | Presence, tuple[str, ...]]]:
    """How a split compares with the sample that the schema was inferred from, and the anomaly types that it stands for.

    Features that a person gave, or that are not in the statistics or the environment, are left to TFDV.
    """
    held = {name_of(feature): feature for feature in statistics.proto.features}
    for feature in schema.feature:
        sample = _sample(feature)
        if sample is None or feature.name not in held or environment in feature.not_in_environment:
            continue
        column, (baseline_present, baseline_rows) = held[feature.name], sample
        common = common_of(column)
        present, rows = int(common.num_non_missing), int(common.num_non_missing + common.num_missing)
        if feature.presence.min_fraction == _least(baseline_present, baseline_rows):
            presence = Presence(
                feature.name, TOO_FEW[0], split, present, rows, baseline_present, baseline_rows, PRESENCE_SLACK
            )
            yield presence, TOO_FEW
        if present and (unseen := _unseen(feature, schema, column)):
            kinds, pooled, values, unseen_rows = unseen
            yield UnseenValues(
                feature.name, kinds[0], split, unseen_rows, present, baseline_present, tuple(sorted(pooled.items())),
                round(1 - DOMAIN_MASS, 9), values,
            ), kinds  # fmt: skip


def _least(present: int, rows: int) -> float:
    return max(0.0, present / rows - PRESENCE_SLACK) if rows else 0.0


def _sample(feature: Any) -> tuple[int, int] | None:
    """Rows with a value, and rows, of the sample behind a feature; None: it does not say."""
    for tag in feature.annotation.tag:
        present, slash, rows = tag.removeprefix(PRESENT).partition("/")
        if tag.startswith(PRESENT) and slash and present.isdecimal() and rows.isdecimal():
            return int(present), int(rows)
    return None


def _unseen(
    feature: Any, schema: Any, column: Any
) -> tuple[tuple[str, ...], Counter[int], tuple[str, ...], int] | None:
    """Anomaly types, values by pooled count, the most frequent unseen values, and the rows that hold unseen ones."""
    text = column.HasField("string_stats")
    if feature.HasField("bool_domain") and not text:
        unseen = _beside_bits(column.num_stats)
        return ("BOOL_TYPE_BIG_INT", "BOOL_TYPE_SMALL_INT"), Counter({1: unseen} if unseen else {}), (), unseen
    if not text:
        return None
    if feature.HasField("int_domain"):
        return ("INT_TYPE_NOT_INT_STRING",), *_pool(column, {}, _is_int)
    domain = domain_of(feature, schema)
    listed = next((tag.removeprefix(COUNTS) for tag in feature.annotation.tag if tag.startswith(COUNTS)), "").split(",")
    literal = feature.distribution_constraints.min_domain_mass != DOMAIN_MASS
    if literal or len(listed) != len(domain) or not all(count.isdecimal() for count in listed):
        return None
    before = dict(zip(domain, map(int, listed), strict=True))
    return ("ENUM_TYPE_UNEXPECTED_STRING_VALUES",), *_pool(column, before, before.__contains__)


def _pool(
    column: Any, before: dict[str, int], known: Callable[[str], bool]
) -> tuple[Counter[int], tuple[str, ...], int]:
    counts = counts_of(column)
    beyond = max(0, int(column.string_stats.common_stats.num_non_missing) - counts.total())
    unseen = {value: count for value, count in counts.items() if not known(value)}
    pooled = Counter(before.get(value, 0) + counts[value] for value in before.keys() | unseen)
    if beyond:  # values too rare to be in the statistics: each as if it were seen once
        pooled[1] += beyond
    told = sorted(unseen, key=lambda value: (-unseen[value], value))[:TOLD_VALUES]
    return pooled, tuple(told), sum(unseen.values()) + beyond


def _is_int(value: str) -> bool:
    return value.removeprefix("-").isdecimal()


def _beside_bits(stats: Any) -> int:
    """At least so many rows of a whole number are neither 0 nor 1, by its moments; exact where they are all equal.

    x (x - 1) is 0 for 0 and 1; its sum is that of the others, none of which adds more than the extremes do.
    """
    present = int(stats.common_stats.num_non_missing)
    total = (stats.std_dev**2 + stats.mean**2 - stats.mean) * present
    most = max(stats.max * (stats.max - 1), stats.min * (stats.min - 1))
    return max(1, math.floor(total / most + 0.5)) if most > 0 else 0


def _unmark(feature: Any, prefix: str) -> None:
    """Forget a size: the bound that goes with it is literal from now on."""
    kept = [tag for tag in feature.annotation.tag if not tag.startswith(prefix)]
    del feature.annotation.tag[:]
    feature.annotation.tag.extend(kept)
    if not kept and not feature.annotation.comment and not feature.annotation.extra_metadata:
        feature.ClearField("annotation")
