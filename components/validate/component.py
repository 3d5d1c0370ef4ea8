"""Validate: statistics, schema, anomalies, skew and drift: the data gate."""

from typing import NamedTuple

from kfp.dsl import HTML, Artifact, Dataset, Input, Output

from components.base import tensorflow


@tensorflow
def validate(
    examples: Input[Dataset],
    champion_statistics: Input[Artifact],
    champion_schema: Input[Artifact],
    champion_version: int,
    label: dict,
    features: dict,
    policy: dict,
    statistics: Output[Artifact],
    schema: Output[Artifact],
    verdict: Output[Artifact],
    report: Output[HTML],
    given_schema: str = "",
    run_page: str = "",
    weights: list = [],
) -> NamedTuple("Gate", [("status", str), ("gate", str)]):
    """Judge examples before anything is trained on them.

    Args:
        examples: what `ingest` wrote.
        champion_statistics: the statistics the champion was trained on (from `resolve`).
        champion_schema: its schema; where there is none, a schema is inferred.
        champion_version: the champion's version; 0 where there is none.
        label: the label, as `label` in sluice.yaml.
        features: the features, as `features` in sluice.yaml.
        given_schema: text of a schema.pbtxt; it goes before the champion's, and is never widened.
        policy: the data gate's policy, as `policies.data` in sluice.yaml.
        weights: columns of row weights that later steps use, e.g. `policies.model.weight`; checked beside the policy's own.
        run_page: address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go; for the record.

    Returns:
        statistics: TFDV statistics, ``<split>/FeatureStats.pb``, and the hashes of the train split's rows, ``row_hashes``.
        schema: ``schema.pbtxt``.
        verdict: ``verdict.json``.
        report: Old against new distributions, anomalies first.
        status: ``BLESSED``, ``NOT_BLESSED`` or ``INCONCLUSIVE``.
        gate: ``open`` or ``closed``: what the verdict and the policy's mode mean for the steps that follow.
    """
    from sluice.stages import validate as stage

    return stage.run(
        examples=examples,
        champion_statistics=champion_statistics,
        champion_schema=champion_schema,
        champion_version=champion_version,
        label=label,
        features=features,
        policy=policy,
        statistics=statistics,
        schema=schema,
        verdict=verdict,
        report=report,
        given_schema=given_schema,
        run_page=run_page,
        weights=weights,
    )
