"""The model gate's policy, as `policies.model` in sluice.yaml."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from sluice.config.base import Strict
from sluice.gates.model.metrics import DIRECTION, Direction, MetricName
from sluice.gates.policy import Policy


class Rule(Strict):
    """One demand on one metric; exactly one of the demands is given.

    "In the good direction" is up for AUC, down for a loss. Against the champion, both models are measured on the same
    rows; the difference is challenger - champion, or, `relative`, that over the champion's value.

    Attributes:
        metric: the metric.
        at_least: smallest value allowed (inclusive).
        at_most: largest value allowed (inclusive).
        non_inferior_by: the challenger may be worse than the champion by at most this margin.
        superior_by: the challenger must be better than the champion by at least this margin.
        relative: the margin is a fraction of the champion's value.
        slices: apply the rule to every slice of these column groups instead of to all rows.
        when_inconclusive: ``close`` the gate where noise leaves the rule undecided, or only ``warn``.
    """

    metric: MetricName
    at_least: float | None = None
    at_most: float | None = None
    non_inferior_by: float | None = Field(default=None, ge=0)
    superior_by: float | None = Field(default=None, ge=0)
    relative: bool = False
    slices: tuple[tuple[str, ...], ...] = ()
    when_inconclusive: Literal["close", "warn"] = "close"

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        given = [
            name
            for name in ("at_least", "at_most", "non_inferior_by", "superior_by")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                f"a rule makes one demand; this one makes {' and '.join(given) or 'none'}: "
                "give one of at_least, at_most, non_inferior_by, superior_by"
            )
        if self.relative and not self.compares:
            raise ValueError("relative goes with non_inferior_by or superior_by")
        wrong = {Direction.UP: "at_most", Direction.DOWN: "at_least"}[DIRECTION[self.metric]]
        if getattr(self, wrong) is not None:
            raise ValueError(
                f"{wrong} bounds {self.metric} on the side where it is good: it would never refuse a bad model"
            )
        return self

    @property
    def compares(self) -> bool:
        """Whether the rule needs a champion."""
        return self.non_inferior_by is not None or self.superior_by is not None

    @property
    def name(self) -> str:
        """The demand's name, as verdicts spell it."""
        return next(
            n for n in ("at_least", "at_most", "non_inferior_by", "superior_by") if getattr(self, n) is not None
        )


class Floor(Strict):
    """The model must beat the trivial predictor: the constant that is best on these very rows.

    Attributes:
        metric: what is compared; None: log loss for classes, squared error for a regression.
        margin: by how much it must be better, in the metric's unit.
    """

    metric: MetricName | None = None
    margin: float = Field(default=0.0, ge=0)


class ModelPolicy(Policy):
    """What a challenger must prove before it is served.

    Attributes:
        metrics: metrics that are reported beside those that rules name.
        slices: column groups whose slices are reported.
        rules: the demands; at least one.
        floor: the trivial predictor is always to be beaten, unless this is ``off`` by name.
        uncertainty: ``bootstrap``: a rule passes only when its interval clears the bound; ``point``: the point
            estimate decides, as in TFX.
        confidence: of the two-sided intervals.
        resamples: draws of the paired bootstrap (Efron and Tibshirani 1993).
        seed: of the draws.
        group: column whose values are drawn together, e.g. a user; None: rows are drawn.
        min_slice_rows: rows below which a slice is INCONCLUSIVE.
        bootstrap: what a first model, without a champion, meets: ``allow``, ``require_approval`` or ``forbid``.
    """

    metrics: tuple[MetricName, ...] = ()
    slices: tuple[tuple[str, ...], ...] = ()
    rules: tuple[Rule, ...] = Field(min_length=1)
    floor: Floor | Literal["off"] = Floor()
    uncertainty: Literal["bootstrap", "point"] = "bootstrap"
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=100)
    seed: int = 0
    group: str | None = None
    min_slice_rows: int = Field(default=200, ge=2)
    bootstrap: Literal["allow", "require_approval", "forbid"] = "allow"

    @field_validator("floor", mode="before")
    @classmethod
    def _off_by_name(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML 1.1 reads a plain off as false

    def measured(self) -> tuple[MetricName, ...]:
        """Every metric that is named, once, in order."""
        return tuple(dict.fromkeys([rule.metric for rule in self.rules] + list(self.metrics)))

    def sliced(self) -> tuple[tuple[str, ...], ...]:
        """Every column group that is named, once, in order."""
        return tuple(dict.fromkeys([group for rule in self.rules for group in rule.slices] + list(self.slices)))
