"""Train: from transformed examples to a model that takes raw features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice import digest
from sluice.examples.dataset import Examples
from sluice.promotion.signature import sign_if_asked
from sluice.stages.runtime import Artifact, parse, present, stage
from sluice.training.spec import Label, Trainer


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
) -> None:
    """Train, export with the preprocessing inside, and keep the trained model's own answers to golden requests."""
    from sluice.training.train import train

    manifest = train(
        transformed=Path(transformed.path),
        preprocessing=Path(preprocessing.path),
        examples=Examples.load(Path(examples.path)),
        trainer=parse(Trainer, trainer, "trainer"),
        label=parse(Label, label, "label"),
        model_out=Path(model.path),
        golden_out=Path(golden.path),
        report_out=Path(report.path),
        champion=present(champion_model),
    )
    sign_if_asked(Path(model.path))
    model.metadata.update(framework=manifest.flavor, task=str(manifest.task), digest=digest.of_tree(Path(model.path)))
