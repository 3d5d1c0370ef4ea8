"""The data gate's policy, as `policies.data` in sluice.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from sluice.config.base import Strict
from sluice.gates.policy import Policy

AnomalySeverity = Literal["error", "warning", "ignore"]
Off = Literal["off"]
"""A rule is left out by name only."""


class Bounds(Strict):
    """How far one distribution may move.

    Attributes:
        error: distance above the noise floor that closes the gate.
        warning: distance above the noise floor that is told.
        measure: ``js``, the Jensen-Shannon divergence in bits (0 to 1; Lin 1991); or ``linf``, the largest change of
            one value's share (0 to 1), for categories only.
        flat: the bounds hold as they are, without a noise floor.
    """

    error: float = Field(default=0.05, gt=0, le=1)
    warning: float = Field(default=0.02, gt=0, le=1)
    measure: Literal["js", "linf"] = "js"
    flat: bool = False


class Drift(Bounds):
    """How far features may move from the champion's training data.

    Distributions are compared over quantile bins of a number or the values of a category, missing included. Two
    samples of one population are never equal: what such samples of these sizes show in `resamples` draws sets a noise
    floor, at the 1 - `alpha` / features quantile (Bonferroni), and only what rises above it counts.

    Attributes:
        alpha: probability that any of the features rises above its floor by chance.
        resamples: draws of the null.
        seed: of the draws.
        tail: values of a category rarer than this in both samples are compared as one.
        features: other bounds for single features, e.g. ``{temperature: {error: 0.5}}`` where seasons are known.
    """

    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    resamples: int = Field(default=200, ge=50)
    seed: int = 0
    tail: float = Field(default=0.001, ge=0, lt=0.5)
    features: dict[str, Bounds] = Field(default_factory=dict)

    def of(self, feature: str) -> Bounds:
        """The bounds for a feature."""
        return self.features.get(feature, self)


class Range(Strict):
    """Where a number must lie, both ends included; None: no bound."""

    at_least: float | None = None
    at_most: float | None = None


class Freshness(Strict):
    """The newest value of a time column must not be older than so many days."""

    column: str
    days: float = Field(gt=0)


class DataPolicy(Policy):
    """What examples must be before anything is trained on them.

    Attributes:
        min_rows: rows below which a split is INCONCLUSIVE.
        anomalies: TFDV anomaly type to ``error``, ``warning`` or ``ignore``, over the built-in severities (see
            `sluice.gates.data.anomalies`); or ``feature:TYPE`` for one feature.
        drift: how far a feature may move; ``off``: not looked at.
        label_shift: how far the label's distribution may move; ``off``: not looked at.
        max_missing: fraction of missing values above which a feature is refused.
        max_duplicates: fraction of rows that repeat another in every column above which the data is refused; of the rows
            that are expected to be distinct, where the baseline has repeated ones as well.
        min_class: share of the rarest class of a label of up to 20 classes below which the data is refused.
        ranges: feature to where its values must lie.
        freshness: how old the newest row may be.
        beam: Beam's options for TFDV's statistics, e.g. ``[--runner=DataflowRunner]``; an empty list: in this process;
            None: without Beam.
        weight: column of row weights for TFDV's weighted statistics.
        association: how far the AUC with which a feature alone ranks the label may move from the baseline's, above what
            chance explains; ``off``: not looked at.
        shards: processes that share the statistics of a split.
        slices: columns by whose values statistics are kept as well.
        leakage: a feature that alone ranks the label with an AUC of this much is refused as a leak; ``off``: not looked at.
    """

    min_rows: int = Field(default=1000, ge=1)
    anomalies: dict[str, AnomalySeverity] = Field(default_factory=dict)
    drift: Drift | Off = Drift()
    label_shift: Drift | Off = Drift(error=0.02, warning=0.005)
    max_missing: float = Field(default=0.9, gt=0, le=1)
    max_duplicates: float = Field(default=0.25, ge=0, le=1)
    min_class: float = Field(default=0.001, ge=0, lt=0.5)
    ranges: dict[str, Range] = Field(default_factory=dict)
    freshness: Freshness | None = None
    association: Annotated[float, Field(gt=0, le=0.5)] | Off = 0.05
    beam: tuple[str, ...] | None = None
    weight: str | None = None
    shards: int = Field(default=1, ge=1, le=64)
    slices: tuple[str, ...] = ()
    leakage: Annotated[float, Field(gt=0.5, le=1)] | Off = 0.95

    @field_validator("drift", "label_shift", "leakage", "association", mode="before")
    @classmethod
    def _off_by_name(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML 1.1 reads a plain off as false

    @model_validator(mode="after")
    def _known_anomalies(self) -> Self:
        from sluice.gates.data.anomalies import SEVERITIES

        named = {key.rpartition(":")[2] for key in self.anomalies}
        if unknown := sorted(named - set(SEVERITIES)):
            raise ValueError(
                f"anomalies: TFDV knows no {', '.join(unknown)}; see sluice/gates/data/anomalies.py for those it knows"
            )
        return self
