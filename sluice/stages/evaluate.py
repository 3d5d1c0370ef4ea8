"""Evaluate: metrics of the candidate and the champion on the same rows, and the model gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sluice.examples.dataset import Examples
from sluice.gates.model.policy import ModelPolicy
from sluice.stages.runtime import Artifact, Gate, Metrics, close, parse, present, record, stage, taken, taken_examples

if TYPE_CHECKING:
    from sluice.evaluation.scoring import Scored


class ClassificationMetrics(Artifact, Protocol):
    """KFP's ClassificationMetrics artifact."""

    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None: ...  # noqa: D102

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None: ...  # noqa: D102


@stage
def run(
    *, examples: Artifact, model: Artifact, champion_model: Artifact, champion_version: int, policy: dict[str, Any],
    evaluation: Artifact, verdict: Artifact, report: Artifact, metrics: Metrics, classification: ClassificationMetrics,
    run_page: str = "", champion_statistics: Artifact | None = None,
) -> Gate:  # fmt: skip
    """Score both models on the evaluation split and judge the candidate."""
    from sluice.evaluation.evaluate import evaluate

    applied = parse(ModelPolicy, policy, "policy")
    judged, scored = evaluate(
        Examples.load(taken_examples(examples)),
        model=taken(model, "model", "train"),
        champion=present(champion_model, "champion_model"),
        champion_version=champion_version or None,
        policy=applied,
        evaluation_out=Path(evaluation.path),
        report_out=Path(report.path),
        champion_statistics=present(champion_statistics, "champion_statistics") if champion_statistics else None,
    )
    record(evaluation, report)
    _log(scored, applied, metrics, classification)
    return close(judged, verdict, run_page)


def _log(scored: Scored, policy: ModelPolicy, metrics: Metrics, classification: ClassificationMetrics) -> None:
    """Fill KFP's own artifacts, which the Kubeflow and Vertex pages draw."""
    from sluice.evaluation.curves import confusion, roc
    from sluice.evaluation.metrics import catalogue, value
    from sluice.gates.model.metrics import TASKS

    measured = [name for name in policy.measured() if name in TASKS[scored.task]]  # of the others the verdict tells
    for model, rows in scored.models.items():
        for name in measured:
            number = value(name, rows, catalogue(policy, scored.task))
            if number == number:  # noqa: PLR0124 - KFP's metrics hold no NaN
                metrics.log_metric(name if model == "challenger" else f"{model}_{name}", number)
    if scored.task == "binary":
        rows = scored.models["challenger"]
        false_positive, true_positive, thresholds = roc(rows)
        classification.log_roc_curve(false_positive.tolist(), true_positive.tolist(), thresholds.tolist())
        classification.log_confusion_matrix(["negative", "positive"], confusion(rows, policy.threshold).tolist())
