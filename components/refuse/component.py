"""Refuse: put on record that a gate stayed closed, and why."""

from kfp.dsl import Artifact, Input

from components.base import light


@light
def refuse(
    verdict: Input[Artifact],
    ledger: str,
    name: str = "",
    span: str = "",
    run: str = "",
    run_id: str = "",
    run_page: str = "",
    facts: dict = {},
) -> int:
    """Append a refusal to the ledger. Never cache this step.

    Args:
        verdict: the verdict that kept its gate closed.
        ledger: URI of the ledger.
        name: the use case, for the record.
        span: the span, for the record.
        run: the pipeline run's display name, for the record.
        run_id: its ID on its service, for the record.
        run_page: address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go; for the record.
        facts: who, commit, ..., for the record.

    Returns:
        The entry's number.
    """
    from sluice.stages import refuse as stage
    from sluice.stages.runtime import RunRecord

    record = RunRecord(name=name, span=span, run=run, run_id=run_id, run_page=run_page, facts=facts)
    return stage.run(verdict=verdict, ledger=ledger, record=record)
