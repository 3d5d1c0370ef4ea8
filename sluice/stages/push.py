"""Push: check all three verdicts again, publish, and append to the ledger."""

from __future__ import annotations

from typing import Any, NamedTuple

from sluice.examples.manifest import Manifest
from sluice.stages.runtime import Artifact, RunRecord, stage, taken, taken_examples, taken_verdict


class Pushed(NamedTuple):
    """What the ledger recorded: ``promoted``, ``refused`` or ``withdrawn``, the entry's number, and the version if promoted."""

    decision: str
    number: int
    version: int


@stage
def run(
    *,
    model: Artifact,
    statistics: Artifact,
    schema: Artifact,
    examples: Artifact,
    data_verdict: Artifact,
    model_verdict: Artifact,
    service_verdict: Artifact,
    policies: dict[str, Any],
    destinations: list[str],
    ledger: str,
    record: RunRecord,
) -> Pushed:
    """Publish what three verdicts blessed; whatever else comes is refused, and recorded as refused."""
    from sluice.promotion.push import push

    entry = push(
        model=taken(model, "model", "train"),
        statistics=taken(statistics, "statistics", "validate"),
        schema=taken(schema, "schema", "validate"),
        verdicts={
            "data": taken_verdict(data_verdict, "data_verdict"),
            "model": taken_verdict(model_verdict, "model_verdict"),
            "service": taken_verdict(service_verdict, "service_verdict"),
        },
        policies=policies,
        examples=Manifest.load(taken_examples(examples)),
        destinations=destinations,
        ledger=ledger,
        run=record.fields(),
    )
    return Pushed(str(entry.kind), entry.number, entry.version)
