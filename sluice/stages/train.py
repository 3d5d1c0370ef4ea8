"""Train: from transformed examples to a model that takes raw features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.examples.dataset import Examples
from sluice.promotion.signature import sign_if_asked
from sluice.stages.runtime import (
    Artifact,
    Metrics,
    parse,
    present,
    record,
    stage,
    taken,
    taken_examples,
    taken_transformed,
)
from sluice.training.spec import Label, Trainer

if TYPE_CHECKING:
    from sluice.training.contract import Curve

POINTS = 10
"""Points of a learning curve that stand among KFP's metrics, which hold single numbers."""


@stage
def run(
    *,
    transformed: Artifact,
    preprocessing: Artifact,
    examples: Artifact,
    champion_model: Artifact,
    trainer: dict[str, Any],
    label: dict[str, Any],
    model: Artifact,
    golden: Artifact,
    report: Artifact,
    metrics: Metrics,
) -> None:
    """Train, export with the preprocessing inside, and keep the trained model's own answers to golden requests."""
    from sluice.training.train import train

    trained = train(
        transformed=taken_transformed(transformed),
        preprocessing=taken(preprocessing, "preprocessing", "transform"),
        examples=Examples.load(taken_examples(examples)),
        trainer=parse(Trainer, trainer, "trainer"),
        label=parse(Label, label, "label"),
        model_out=Path(model.path),
        golden_out=Path(golden.path),
        report_out=Path(report.path),
        champion=present(champion_model, "champion_model"),
    )
    if trained is None:  # the first of several workers writes
        return
    manifest, curve = trained
    sign_if_asked(Path(model.path))
    model.metadata.update(framework=manifest.flavor, task=str(manifest.task))
    record(model, golden, report)
    if curve is not None:
        model.metadata["notes"] = curve.notes
        _log(curve, metrics)


def _log(curve: Curve, metrics: Metrics) -> None:
    """The learning curve as KFP draws it: the last losses, and some points of the way there."""
    metrics.log_metric("steps", float(curve.kept))
    metrics.log_metric("steps_trained", float(curve.steps[-1]))
    lines = {"loss": curve.loss, "validation_loss": curve.validation}
    for name, values in lines.items():
        if values:
            metrics.log_metric(name, values[curve.steps.index(curve.kept)])
            for index in range(0, len(values), -(-len(values) // POINTS)):
                metrics.log_metric(f"{name}_step_{curve.steps[index]:06d}", values[index])
