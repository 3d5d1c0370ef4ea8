"""Refuse: put on record that a gate stayed closed, and why."""

from kfp.dsl import Artifact, Input

from components.base import light


@light
def refuse(
    verdict: Input[Artifact], ledger: str, name: str = "", span: str = "", run: str = "", facts: dict = {}
) -> int:
    """Append a refusal to the ledger. Never cache this step.

    Args:
        verdict: the verdict that kept its gate closed.
        ledger: URI of the ledger.
        name: the use case, for the record.
        span: the span, for the record.
        run: the pipeline run, for the record.
        facts: who, commit, ..., for the record.

    Returns:
        The entry's number.
    """
    from sluice.stages import refuse as stage

    return stage.run(verdict=verdict, ledger=ledger, run={"use_case": name, "span": span, "run": run, "facts": facts})
