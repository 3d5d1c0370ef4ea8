"""Error rates of non-inferiority by simulation: binary labels, two models whose true difference is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from sluice.evaluation.evidence import CHALLENGER, CHAMPION, Slices, gather
from sluice.evaluation.metrics import Rows, catalogue, value
from sluice.gates.model.evidence import OVERALL
from sluice.gates.model.judge import judge
from sluice.gates.model.policy import ModelPolicy

POPULATION = 1_000_000


@dataclass(frozen=True)
class Rates:
    """Of all draws: how often blessed, refused and undecided, and how often the interval covered the true difference."""

    metric: str
    truth: str
    blessed: float
    refused: float
    undecided: float
    coverage: float


def sample(rows: int, noise: float, random: np.random.Generator) -> tuple[Rows, Rows]:
    """Labels, a champion that sees the log-odds with a noise of 0.5, and a challenger with another noise."""
    odds = random.normal(-1, 1.2, rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    see = odds + 0.35 * random.standard_normal(rows)
    champion, challenger = (see + level * random.standard_normal(rows) for level in (0.5, noise))
    return Rows(label, 1 / (1 + np.exp(-champion))), Rows(label, 1 / (1 + np.exp(-challenger)))


def difference(metric: str, noise: float) -> float:
    """The true difference, challenger - champion, over a large population."""
    champion, challenger = sample(POPULATION, noise, np.random.default_rng(99))
    metrics = catalogue(ModelPolicy.model_validate({"rules": [{"metric": "auc", "at_least": 0.6}]}), "binary")
    return value(metric, challenger, metrics) - value(metric, champion, metrics)


def rates(metric: str, margin: float, *, draws: int = 500, rows: int = 4000, resamples: int = 1000) -> list[Rates]:
    """Simulate a challenger that is truly worse by the margin, truly equal, and truly better by the margin."""
    sign = 1 if metric == "auc" else -1
    found = []
    for truth, gain in (("worse by the margin", -margin), ("equal", 0.0), ("better by the margin", margin)):
        noise = (
            0.5
            if gain == 0
            else brentq(lambda level, gain=gain: sign * difference(metric, level) - gain, 0.0, 2.5, xtol=1e-4)
        )
        true = sign * difference(metric, noise)
        statuses, covered = [], 0
        for draw in range(draws):
            champion, challenger = sample(rows, noise, np.random.default_rng([2013, draw]))
            policy = ModelPolicy.model_validate({
                "rules": [{"metric": metric, "non_inferior_by": margin}], "floor": "off", "resamples": resamples, "seed": 1_000_000 + draw,
            })  # fmt: skip
            evidence = gather(
                {CHALLENGER: challenger, CHAMPION: champion},
                Slices({OVERALL: np.arange(rows)}, {}),
                policy,
                "binary",
                champion=1,
            )
            reason = next(r for r in judge(evidence, policy, subjects={}).reasons if r.rule == "non_inferior_by")
            statuses.append(str(reason.outcome))
            covered += reason.interval is not None and reason.interval[0] <= true <= reason.interval[1]
        shares = [statuses.count(name) / draws for name in ("passed", "failed", "inconclusive")]
        found.append(Rates(metric, truth, *shares, covered / draws))
    return found
