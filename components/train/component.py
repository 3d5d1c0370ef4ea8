"""Train: a model that carries its own preprocessing."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output

from components.base import tensorflow


@tensorflow
def train(
    transformed: Input[Dataset],
    preprocessing: Input[Model],
    examples: Input[Dataset],
    champion_model: Input[Model],
    trainer: dict,
    label: dict,
    model: Output[Model],
    golden: Output[Artifact],
    report: Output[HTML],
    metrics: Output[Metrics],
):
    """Train a model and export it with its preprocessing inside.

    Args:
        transformed: what `transform` made.
        preprocessing: the preprocessing that made it.
        examples: the raw examples, of which the golden requests are drawn.
        champion_model: the champion, for trainers that start from it.
        trainer: the trainer, as `trainer` in sluice.yaml.
        label: the label, as `label` in sluice.yaml.

    Returns:
        model: A SavedModel (or another flavor's files) that takes raw features by name, and ``model.json``.
        golden: Raw rows with the trained model's own predictions, before export: ``golden.parquet``.
        report: The learning curve.
        metrics: Steps, losses, and points of the learning curve.
    """
    from sluice.stages import train as stage

    stage.run(
        transformed=transformed,
        preprocessing=preprocessing,
        examples=examples,
        champion_model=champion_model,
        trainer=trainer,
        label=label,
        model=model,
        golden=golden,
        report=report,
        metrics=metrics,
    )
