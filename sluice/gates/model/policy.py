"""The model gate's policy, as `policies.model` in sluice.yaml."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from sluice.config.base import Strict
from sluice.gates.model.metrics import DIRECTION, Direction, MetricName
from sluice.gates.policy import Policy

DEMANDS = ("at_least", "at_most", "non_inferior_by", "superior_by", "max_gap")


class Rule(Strict):
    """One demand on one metric; exactly one of the demands is given.

    Better is more for AUC, less for a loss. Against the champion, both models are measured on the same rows; what
    counts is challenger - champion, or, `relative`, that over the champion's value.

    Attributes:
        metric: the metric.
        at_least: smallest value allowed (inclusive).
        at_most: largest value allowed (inclusive).
        non_inferior_by: the challenger may be worse than the champion by at most this margin.
        superior_by: the challenger must be better than the champion by at least this margin.
        max_gap: largest difference allowed between the best and the worst of the rule's slices (fairness).
        relative: the margin is a fraction of the champion's value.
        slices: apply the rule to every slice of these column groups instead of to all rows.
        when_inconclusive: ``close`` the gate where noise leaves the rule undecided, or only ``warn``.
    """

    metric: MetricName
    at_least: float | None = None
    at_most: float | None = None
    non_inferior_by: float | None = Field(default=None, ge=0)
    superior_by: float | None = Field(default=None, ge=0)
    max_gap: float | None = Field(default=None, ge=0)
    relative: bool = False
    slices: tuple[tuple[str, ...], ...] = ()
    when_inconclusive: Literal["close", "warn"] = "close"

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        given = [name for name in DEMANDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a rule makes one demand; this one makes {' and '.join(given) or 'none'}: give one of {', '.join(DEMANDS)}"
            )
        if self.relative and not self.compares:
            raise ValueError("relative goes with non_inferior_by or superior_by")
        if self.max_gap is not None and not self.slices:
            raise ValueError("max_gap compares slices: name their columns under slices")
        direction = DIRECTION[self.metric]
        if self.compares and direction is Direction.MIDDLE:
            raise ValueError(f"{self.metric} should be near a value: bound it with at_least and at_most, in two rules")
        wrong = {Direction.UP: "at_most", Direction.DOWN: "at_least"}.get(direction)
        if wrong and getattr(self, wrong) is not None:
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
        return next(name for name in DEMANDS if getattr(self, name) is not None)


class Floor(Strict):
    """The model must beat the trivial predictor: the constant that is best on these very rows.

    Attributes:
        metric: what is compared; None: log loss for classes, squared error for a regression.
        margin: by how much it must be better, in the metric's unit.
    """

    metric: MetricName | None = None
    margin: float = Field(default=0.0, ge=0)


class Costs(Strict):
    """What errors cost, in the user's own unit; the metric ``cost`` is the mean over rows.

    Attributes:
        false_positive: cost of a positive answer that is wrong.
        false_negative: cost of a negative answer that is wrong.
    """

    false_positive: float = Field(default=1.0, ge=0)
    false_negative: float = Field(default=1.0, ge=0)


class ModelPolicy(Policy):
    """What a challenger must prove before it is served.

    A TFMA ``EvalConfig`` may stand under the key ``eval_config`` instead of `rules`, as JSON: see
    `sluice.gates.model.eval_config`.

    Attributes:
        metrics: metrics that are reported beside those that rules name.
        slices: column groups whose slices are reported.
        bins: number's column to the ascending upper ends of the bins it is sliced by.
        rules: the demands; at least one.
        floor: the trivial predictor is always to be beaten, unless this is ``off`` by name.
        threshold: probability above which a binary answer is positive.
        costs: what errors cost.
        weight: column of row weights; None: all rows weigh the same.
        uncertainty: ``bootstrap``: a rule passes only when its interval clears the bound; ``point``: the point
            estimate decides, as in TFX.
        confidence: of the two-sided intervals.
        resamples: draws of the paired bootstrap (Efron and Tibshirani 1993).
        seed: of the draws.
        group: column whose values are drawn together, e.g. a user (and the query of a ranking); None: rows are drawn.
        min_slice_rows: rows below which a slice is INCONCLUSIVE.
        max_seen_by_champion: share of the evaluation rows that the champion may have been trained on; above it a comparison
            is INCONCLUSIVE.
        bootstrap: what a first model, without a champion, meets: ``allow``, ``require_approval`` or ``forbid``.
        engine: ``vectorised``, on this machine; or ``tfma``: TFMA on Beam, with point estimates, for a binary task.
        beam: Beam's options for TFMA, e.g. ``--runner=DataflowRunner``; none: in this process.
        tfma: further metrics, by TFMA's class names, that TFMA computes for the record.
        waivers: URI of a folder of signed waivers (`sluice waive`); empty: none are taken.
        waiver_keys: public keys (Ed25519, base64) whose signature on a waiver counts.
    """

    metrics: tuple[MetricName, ...] = ()
    slices: tuple[tuple[str, ...], ...] = ()
    bins: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(min_length=1)
    floor: Floor | Literal["off"] = Floor()
    threshold: float = Field(default=0.5, gt=0, lt=1)
    costs: Costs = Costs()
    weight: str | None = None
    uncertainty: Literal["bootstrap", "point"] = "bootstrap"
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=100)
    seed: int = 0
    group: str | None = None
    min_slice_rows: int = Field(default=200, ge=2)
    max_seen_by_champion: float = Field(default=0.01, ge=0, le=1)
    bootstrap: Literal["allow", "require_approval", "forbid"] = "allow"
    engine: Literal["vectorised", "tfma"] = "vectorised"
    beam: tuple[str, ...] = ()
    tfma: tuple[str, ...] = ()
    waivers: str = ""
    waiver_keys: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_tfma(cls, value: Any) -> Any:
        if isinstance(value, dict) and "eval_config" in value:
            from sluice.gates.model.eval_config import translate

            others = {key: item for key, item in value.items() if key != "eval_config"}
            return {**translate(value["eval_config"]), **others}
        return value

    @field_validator("floor", mode="before")
    @classmethod
    def _off_by_name(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML 1.1 reads a plain off as false

    @field_validator("bins")
    @classmethod
    def _ascending(cls, bins: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for column, ends in bins.items():
            if not ends or list(ends) != sorted(set(ends)):
                raise ValueError(f"{column}: give ascending upper ends, e.g. [500, 1000]")
        return bins

    @model_validator(mode="after")
    def _tfma_has_no_pairs(self) -> Self:
        if self.engine == "tfma" and (self.uncertainty != "point" or self.weight or self.bins or self.group):
            raise ValueError(
                "the tfma engine gives point estimates only: set uncertainty to point, without weight, bins or group"
            )
        return self

    @model_validator(mode="after")
    def _waivers_need_keys(self) -> Self:
        if self.waivers and not self.waiver_keys:
            raise ValueError(
                "waivers count only if signed by a known key: name it under waiver_keys (see `sluice waive --help`)"
            )
        return self

    def measured(self) -> tuple[MetricName, ...]:
        """Every metric that is named, once, in order."""
        return tuple(dict.fromkeys([rule.metric for rule in self.rules] + list(self.metrics)))

    def sliced(self) -> tuple[tuple[str, ...], ...]:
        """Every column group that is named, once, in order."""
        return tuple(dict.fromkeys([group for rule in self.rules for group in rule.slices] + list(self.slices)))
