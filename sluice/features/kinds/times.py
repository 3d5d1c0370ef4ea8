"""Points in time: read from RFC 3339 in the graph, and taken apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features import facts
from sluice.features.kinds.columns import Columns, Step
from sluice.models.manifest import RawType
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.features.spec import DateTime
    from sluice.statistics.artifact import SplitStatistics

FIRST = {"minute": 0, "hour": 0, "weekday": 0, "day": 1, "day_of_year": 1, "month": 1}
"""Each part's least value; Monday is weekday 0, as in pandas."""
LENGTH = {"minute": 60, "hour": 24, "weekday": 7, "day": 31, "day_of_year": 366, "month": 12}
"""How many values it has until it begins anew."""
DAY = 86_400


def datetime(spec: DateTime, statistics: SplitStatistics) -> Step:
    """A time's part of the graph.

    Raises:
        SluiceError: it has no value, is text and never a time, or is text and `trend` is asked for.
    """
    import tensorflow as tf

    where = f"features.datetime: {spec.name}"
    feature = facts.present(spec.name, statistics, where)
    missing = common_of(feature).num_missing + _no_times(spec.name, statistics, where)
    trend = feature.num_stats
    if "trend" in spec.parts and not feature.HasField("num_stats"):
        raise SluiceError(f"{spec.name!r} is text, of which the statistics know no mean", where=where,
                          remedy="leave trend out of its parts, or give the source's column as timestamps")  # fmt: skip

    def make(raw: Mapping[str, Any], out: Columns) -> None:
        texts, index = tf.unique(raw[spec.name])  # times repeat, and reading one costs more than finding it again
        instant = read(texts)
        for part in spec.parts:
            if part == "trend":
                scaled = (tf.cast(instant.seconds, tf.float64) - trend.mean) / (trend.std_dev or 1.0)
                value = tf.where(instant.valid, tf.cast(scaled, tf.float32), 0.0)
                out.number(spec.name, tf.gather(value, index), "trend")
                continue
            position = tf.gather(tf.where(instant.valid, instant.part(part) - FIRST[part], -1), index)
            if spec.encode == "category":
                out.category(spec.name, position + 1, LENGTH[part] + 1, derived=part)
                continue
            angle = tf.cast(position, tf.float32) * (2 * math.pi / LENGTH[part])
            for name, wave in (("sin", tf.sin), ("cos", tf.cos)):
                out.number(spec.name, tf.where(position < 0, 0.0, wave(angle)), f"{part}_{name}")
        if spec.missing_indicator and missing and spec.encode == "cycle":  # a category has an id for it
            out.number(spec.name, 1.0 - tf.cast(tf.gather(instant.valid, index), tf.float32), "missing")

    return Step({spec.name: RawType.STRING}, make)


def _no_times(name: str, statistics: SplitStatistics, where: str) -> int:
    """Rows whose text is no time, as far as the statistics keep its values.

    Raises:
        SluiceError: none is one.
    """
    import tensorflow as tf

    if not statistics.feature(name).HasField("string_stats"):
        return 0
    seen, _ = facts.counts(name, statistics, where)
    valid = read(tf.constant([*seen])).valid.numpy() if seen else []
    strange = [value for value, is_time in zip(seen, valid, strict=True) if not is_time]
    if seen and len(strange) == len(seen):
        raise SluiceError(f"{name!r} is no time, e.g. {next(filter(None, strange), '')!r}", where=where,
                          remedy="give timestamps, or texts like 2013-01-31T05:00:00Z; else list it under categorical or text")  # fmt: skip
    return sum(seen[value] for value in strange)


@dataclass(frozen=True)
class Instant:
    """Times read in the graph, each of shape [batch].

    Attributes:
        seconds: since 1970 in UTC, int64.
        valid: whether the text was a time.
    """

    seconds: Any
    valid: Any

    def part(self, name: str) -> Any:
        """A part in UTC, int32."""
        import tensorflow as tf

        days = self.seconds // DAY
        if name in ("minute", "hour"):
            unit, length = (60, 60) if name == "minute" else (3600, 24)
            return tf.cast(self.seconds // unit % length, tf.int32)
        if name == "weekday":
            return tf.cast((days + 3) % 7, tf.int32)  # 1970 began on a Thursday
        year, month, day = _civil(days)
        if name == "day_of_year":
            return tf.cast(days - _days(year, tf.ones_like(year), tf.ones_like(year)) + 1, tf.int32)
        return tf.cast({"month": month, "day": day}[name], tf.int32)


def read(texts: Any) -> Instant:
    """Times of RFC 3339, or dates, as texts of shape [batch]; a fraction of a second is cut off, UTC is taken for none.

    By arithmetic on the characters, which are at fixed places once the fraction is gone.
    """
    import tensorflow as tf

    texts = tf.strings.regex_replace(texts, r"[.,]\d+", "")
    length = tf.strings.length(texts)
    chars = tf.cast(tf.io.decode_raw(texts, tf.uint8, fixed_length=25), tf.int64)

    def number(*places: int) -> tuple[Any, Any]:
        digits = tf.gather(chars, places, axis=1) - ord("0")
        value = tf.reduce_sum(digits * tf.constant([10**i for i in range(len(places))][::-1], tf.int64), axis=1)
        return value, tf.reduce_all((digits >= 0) & (digits <= 9), axis=1)

    def one_of(place: int, letters: str) -> Any:
        return tf.reduce_any(chars[:, place : place + 1] == [ord(letter) for letter in letters], axis=1)

    (year, a), (month, b), (day, c) = number(0, 1, 2, 3), number(5, 6), number(8, 9)
    dated = a & b & c & one_of(4, "-") & one_of(7, "-") & (month >= 1) & (month <= 12) & (day >= 1)
    dated &= day <= _month_length(year, month)
    (hour, d), (minute, e), (second, f) = number(11, 12), number(14, 15), number(17, 18)
    timed = (
        d & e & f & one_of(10, "Tt ") & one_of(13, ":") & one_of(16, ":") & (hour < 24) & (minute < 60) & (second < 60)
    )
    (hours, g), (minutes, h) = number(20, 21), number(23, 24)
    shifted = g & h & one_of(19, "+-") & one_of(22, ":") & (hours < 24) & (minutes < 60)
    no_offset = (length == 19) | ((length == 20) & one_of(19, "Zz"))
    valid = dated & ((length == 10) | (timed & (no_offset | ((length == 25) & shifted))))
    time = tf.where(length == 10, tf.zeros_like(hour), hour * 3600 + minute * 60 + second)
    east = tf.where(one_of(19, "-"), tf.constant(-1, tf.int64), tf.constant(1, tf.int64))
    offset = tf.where(length == 25, east * (hours * 60 + minutes) * 60, tf.zeros_like(hours))
    seconds = _days(year, month, day) * DAY + time - offset
    return Instant(tf.where(valid, seconds, tf.zeros_like(seconds)), valid)


def _month_length(year: Any, month: Any) -> Any:
    import tensorflow as tf

    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    lengths = tf.constant([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], tf.int64)
    return tf.gather(lengths, tf.clip_by_value(month - 1, 0, 11)) + tf.cast(leap & (month == 2), tf.int64)


def _days(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970 of a date of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms")."""
    import tensorflow as tf

    year -= tf.cast(month <= 2, tf.int64)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _civil(days: Any) -> tuple[Any, Any, Any]:
    """Year, month and day of days since 1970: the inverse of `_days`, from the same source."""
    import tensorflow as tf

    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = (shifted + 2) % 12 + 1
    return year + era * 400 + tf.cast(month <= 2, tf.int64), month, day
