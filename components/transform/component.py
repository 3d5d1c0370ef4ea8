"""Transform: preprocessing set from the statistics, applied once."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components.base import tensorflow


@tensorflow
def transform(
    examples: Input[Dataset],
    statistics: Input[Artifact],
    schema: Input[Artifact],
    features: dict,
    label: dict,
    preprocessing: Output[Model],
    transformed: Output[Dataset],
):
    """Build the preprocessing from the statistics, without another pass over the raw data, and apply it once.

    Args:
        examples: what `ingest` wrote.
        statistics: what `validate` computed of them.
        schema: their schema.
        features: the features, as `features` in sluice.yaml; empty: inferred from the schema.
        label: the label, as `label` in sluice.yaml.

    Returns:
        preprocessing: A Keras model from raw features to model inputs.
        transformed: The examples it makes, memory-mappable, a folder a split.
    """
    from sluice.stages import transform as stage

    stage.run(
        examples=examples,
        statistics=statistics,
        schema=schema,
        features=features,
        label=label,
        preprocessing=preprocessing,
        transformed=transformed,
    )
