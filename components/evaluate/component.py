"""Evaluate: the candidate against the champion on the same rows: the model gate."""

from typing import NamedTuple, Optional

from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from components.base import tensorflow


@tensorflow
def evaluate(
    examples: Input[Dataset],
    model: Input[Model],
    champion_model: Input[Model],
    champion_version: int,
    policy: dict,
    evaluation: Output[Artifact],
    verdict: Output[Artifact],
    report: Output[HTML],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    run_page: str = "",
    champion_statistics: Optional[Input[Artifact]] = None,  # noqa: UP045 - KFP reads it
) -> NamedTuple("Gate", [("status", str), ("gate", str)]):
    """Score the candidate and the champion, compute metrics by slice, and judge the candidate.

    Args:
        examples: what `ingest` wrote; the split ``eval`` is scored.
        model: the candidate.
        champion_model: the champion (from `resolve`).
        champion_version: its version; 0 where there is none.
        policy: the model gate's policy, as `policies.model` in sluice.yaml.
        run_page: address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go; for the record.
        champion_statistics: the statistics the champion was trained on (from `resolve`), with the hashes of those rows;
            left out, how many of the evaluated rows it was trained on is unknown.

    Returns:
        evaluation: Predictions, and TFMA's EvalConfig and MetricsForSlice.
        verdict: ``verdict.json``.
        report: Champion against challenger, the verdict in words on top.
        metrics: The policy's metrics of both models, for the Kubeflow and Vertex pages.
        classification: ROC curve and confusion matrix of a binary candidate, for the same pages.
        status: ``BLESSED``, ``NOT_BLESSED`` or ``INCONCLUSIVE``.
        gate: ``open`` or ``closed``: what the verdict and the policy's mode mean for the steps that follow.
    """
    from sluice.stages import evaluate as stage

    return stage.run(
        examples=examples,
        model=model,
        champion_model=champion_model,
        champion_version=champion_version,
        champion_statistics=champion_statistics,
        policy=policy,
        evaluation=evaluation,
        verdict=verdict,
        report=report,
        metrics=metrics,
        classification=classification,
        run_page=run_page,
    )
