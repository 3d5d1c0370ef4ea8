"""Splits: which row goes where.

By hash: a row's split is a function of its key columns' values alone (of all its columns where none are chosen), the
same on every platform, in every order, in every file. Its hash (`sluice.examples.hashing`) over 2**64 is a point in [0, 1).
The splits share that interval in proportion to their weights and in a fixed order, whatever order the weights were given in
(what carries a step's parameters keeps none): ``train`` first, then ``eval``, then the others by name (by code points).

By time: what is before a moment trains, what comes after it (and after a gap, whose rows are left out) evaluates.

By the source: a column names each row's split.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator, model_validator

from sluice.config.base import Strict

if TYPE_CHECKING:
    from collections.abc import Iterable

TRAIN, EVAL = "train", "eval"


def in_order(names: Iterable[str]) -> list[str]:
    """Names of splits in their fixed order: ``train``, then ``eval``, then the others by name."""
    return sorted(set(names), key=lambda name: (name != TRAIN, name != EVAL, name))


class TimeSplit(Strict):
    """Train on what was before, evaluate on what came after.

    Attributes:
        column: a column of times.
        at: the first moment that is evaluated, e.g. ``2026-03-01`` (UTC where nothing is said); or
        last: how much of the data's end is evaluated, e.g. ``7d``: what is no more than that before the latest row.
        gap: what lies so much before that moment is left out of both, e.g. ``1d``: labels that come late, or features that
            look ahead, would carry over.
    """

    column: str = Field(min_length=1)
    at: datetime | None = None
    last: timedelta | None = Field(default=None, gt=timedelta(0))
    gap: timedelta = Field(default=timedelta(0), ge=timedelta(0))

    @field_validator("at")
    @classmethod
    def _utc(cls, at: datetime | None) -> datetime | None:
        return at.astimezone(UTC).replace(tzinfo=None) if at and at.tzinfo else at

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.at is None) == (self.last is None):
            raise ValueError("give one of `at` (a moment, e.g. 2026-03-01) and `last` (a duration, e.g. 7d)")
        return self

    def start(self, latest: datetime | None) -> datetime:
        """The first moment that is evaluated, where the data's latest moment is this.

        Raises:
            ValueError: the latest moment is needed, and not given.
        """
        if self.at:
            return self.at
        if self.last is None or latest is None:
            raise ValueError("`last` counts from the latest moment")
        return latest - self.last + timedelta(microseconds=1)


class Split(Strict):
    """How rows are divided: by hash, unless `time` or `column` says otherwise.

    Attributes:
        ratios: split name to weight, in the splits' fixed order (`in_order`); ``train`` and ``eval`` are what training needs.
        keys: columns whose values decide; all rows with equal keys fall in one split. Empty: the whole row.
        time: by time instead.
        column: by the source instead: the column that names each row's split; it is not among the examples' columns.
        names: for `column`, its value to the split's name, e.g. ``{TRAIN: train, TEST: eval}``; empty: as they stand.
    """

    ratios: dict[str, float] = Field(default={TRAIN: 4.0, EVAL: 1.0})
    keys: list[str] = Field(default_factory=list)
    time: TimeSplit | None = None
    column: str = ""
    names: dict[str, str] = Field(default_factory=dict)

    @field_validator("ratios")
    @classmethod
    def _weights(cls, ratios: dict[str, float]) -> dict[str, float]:
        if not ratios or not all(0 < weight < math.inf for weight in ratios.values()):
            raise ValueError("give each split a weight above 0, e.g. {train: 4, eval: 1}")
        return {name: ratios[name] for name in in_order(ratios)}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bad := [name for name in (*self.ratios, *self.names.values()) if not name.isidentifier()]:
            raise ValueError(f"split names are folder names of letters, digits and _: {', '.join(bad)}")
        if self.time and self.column:
            raise ValueError("rows are divided by `time` or by `column`, not by both")
        if self.names and not self.column:
            raise ValueError("`names` goes with `column`")
        default = Split.model_fields["ratios"].get_default(call_default_factory=True)
        if (self.time or self.column) and (self.keys or self.ratios != default):
            raise ValueError("`ratios` and `keys` divide by hash: leave them out, or `time` and `column`")
        return self

    @property
    def by_hash(self) -> bool:
        """Whether a hash decides."""
        return not (self.time or self.column)

    def needs(self) -> list[str]:
        """The columns that decide."""
        if self.time:
            return [self.time.column]
        return [self.column] if self.column else self.keys

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Split name to its part [low, high) of [0, 1), in the splits' fixed order; empty unless a hash decides.

        A row is in a part if its hash is at least ``floor(low * 2**64)`` and below ``floor(high * 2**64)``.
        """
        if not self.by_hash:
            return {}
        ends = list(accumulate(self.ratios.values()))  # not `sum`, which rounds otherwise since Python 3.12
        shares = [end / ends[-1] for end in ends]
        return dict(zip(self.ratios, pairwise([0.0, *shares]), strict=True))
