"""Push: publish what three verdicts blessed, and nothing else."""

from typing import NamedTuple

from kfp.dsl import Artifact, Dataset, Input, Model

from components.base import light


@light
def push(
    model: Input[Model],
    statistics: Input[Artifact],
    schema: Input[Artifact],
    examples: Input[Dataset],
    data_verdict: Input[Artifact],
    model_verdict: Input[Artifact],
    service_verdict: Input[Artifact],
    data_policy: dict,
    model_policy: dict,
    service_policy: dict,
    destinations: list,
    ledger: str,
    push_policy: dict = {},
    name: str = "",
    span: str = "",
    run: str = "",
    run_id: str = "",
    run_page: str = "",
    facts: dict = {},
) -> NamedTuple("Pushed", [("decision", str), ("number", int), ("version", int)]):
    """Check the three verdicts and their digests again, publish the model, and append to the ledger.

    Whatever the graph around it says: without three BLESSED verdicts about exactly these bytes, under exactly these
    policies, nothing is published, and the refusal is recorded. Never cache this step.

    Args:
        model: the candidate.
        statistics: the statistics it was trained on; kept for the next comparison.
        schema: the schema it was trained on.
        examples: the examples it was trained on.
        data_verdict: the data gate's verdict.
        model_verdict: the model gate's verdict.
        service_verdict: the service gate's verdict.
        data_policy: `policies.data` of the use case.
        model_policy: `policies.model` of the use case.
        service_policy: `policies.service` of the use case.
        destinations: URIs under which versions are published; a push is for all of them or for none.
        ledger: URI of the ledger.
        push_policy: `policies.push` of the use case.
        name: the use case, for the record.
        span: the span, for the record.
        run: the pipeline run's display name, for the record.
        run_id: its ID on its service, for the record.
        run_page: address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go; for the record.
        facts: who, commit, ..., for the record.

    Returns:
        decision: ``promoted``, ``refused`` or ``withdrawn`` (a destination failed, and all were set back).
        number: The ledger entry.
        version: Where promoted, the version; else 0.
    """
    from sluice.stages import push as stage
    from sluice.stages.runtime import RunRecord

    return stage.run(
        model=model,
        statistics=statistics,
        schema=schema,
        examples=examples,
        data_verdict=data_verdict,
        model_verdict=model_verdict,
        service_verdict=service_verdict,
        policies={"data": data_policy, "model": model_policy, "service": service_policy, "push": push_policy},
        destinations=destinations,
        ledger=ledger,
        record=RunRecord(name=name, span=span, run=run, run_id=run_id, run_page=run_page, facts=facts),
    )
