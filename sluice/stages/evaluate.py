"""Evaluate: metrics of the candidate and the champion on the same rows, and the model gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.examples.dataset import Examples
from sluice.gates.model.policy import ModelPolicy
from sluice.stages.runtime import Artifact, Gate, close, parse, present, stage


@stage
def run(
    *,
    examples: Artifact,
    model: Artifact,
    champion_model: Artifact,
    champion_version: int,
    policy: dict[str, Any],
    evaluation: Artifact,
    verdict: Artifact,
    report: Artifact,
) -> Gate:
    """Score both models on the evaluation split and judge the candidate."""
    from sluice.evaluation.evaluate import evaluate

    judged = evaluate(
        Examples.load(Path(examples.path)),
        model=Path(model.path),
        champion=present(champion_model),
        champion_version=champion_version or None,
        policy=parse(ModelPolicy, policy, "policy"),
        evaluation_out=Path(evaluation.path),
        report_out=Path(report.path),
    )
    return close(judged, verdict)
