"""The data gate's policy, as `policies.data` in sluice.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.config.base import Strict
from sluice.gates.policy import Policy

AnomalySeverity = Literal["error", "warning", "ignore"]


class Drift(Strict):
    """How far a feature's distribution may move from the champion's training data.

    The distance is the Jensen-Shannon divergence in bits (0 to 1; Lin 1991) over quantile bins of a number or the values of a
    category, missing included. Two samples of one population are never equal: what such samples of these sizes show
    in `resamples` draws sets a noise floor (the 1 - `alpha` / features quantile), and only what rises above it counts.

    Attributes:
        error: distance above the noise floor that closes the gate.
        warning: distance above the noise floor that is told.
        alpha: probability that any of the features rises above its floor by chance.
        resamples: draws of the null.
        seed: of the draws.
    """

    error: float = Field(default=0.2, gt=0, le=1)
    warning: float = Field(default=0.05, gt=0, le=1)
    alpha: float = Field(default=0.01, gt=0, lt=0.5)
    resamples: int = Field(default=200, ge=50)
    seed: int = 0


class DataPolicy(Policy):
    """What examples must be before anything is trained on them.

    Attributes:
        min_rows: rows below which a split is INCONCLUSIVE.
        anomalies: TFDV anomaly type to ``error``, ``warning`` or ``ignore``, over the built-in severities; or
            ``feature:TYPE`` for one feature.
        label_shift: how far the label's distribution may move (as `drift`); None: not looked at.
        drift: how far a feature may move; None: not looked at.
        max_missing: fraction of missing values above which a feature is refused.
    """

    min_rows: int = Field(default=1000, ge=1)
    anomalies: dict[str, AnomalySeverity] = Field(default_factory=dict)
    drift: Drift | None = Drift()
    label_shift: Drift | None = Drift(error=0.05, warning=0.01)
    max_missing: float = Field(default=0.9, gt=0, le=1)
