"""Probe: does what would be pushed load and answer? The service gate."""

from typing import NamedTuple

from kfp.dsl import Artifact, Input, Model, Output

from components.base import tensorflow


@tensorflow
def probe(
    model: Input[Model],
    golden: Input[Artifact],
    policy: dict,
    verdict: Output[Artifact],
    run_page: str = "",
) -> NamedTuple("Gate", [("status", str), ("gate", str)]):
    """Load the export in a fresh process, send it golden and malformed requests, and judge what comes back.

    Args:
        model: the candidate, exactly as it would be pushed.
        golden: raw rows with the trainer's own predictions (from `train`).
        policy: the service gate's policy, as `policies.service` in sluice.yaml.
        run_page: address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go; for the record.

    Returns:
        verdict: ``verdict.json``; names the server that was asked.
        status: ``BLESSED``, ``NOT_BLESSED`` or ``INCONCLUSIVE``.
        gate: ``open`` or ``closed``: what the verdict and the policy's mode mean for the steps that follow.
    """
    from sluice.stages import probe as stage

    return stage.run(model=model, golden=golden, policy=policy, verdict=verdict, run_page=run_page)
