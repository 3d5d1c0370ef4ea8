"""Push: check all three verdicts again, publish, and append to the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sluice.examples.manifest import Manifest
from sluice.stages.runtime import Artifact, RunRecord, stage


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
        model=Path(model.path),
        statistics=Path(statistics.path),
        schema=Path(schema.path),
        verdicts={
            "data": Path(data_verdict.path),
            "model": Path(model_verdict.path),
            "service": Path(service_verdict.path),
        },
        policies=policies,
        examples=Manifest.load(Path(examples.path)),
        destinations=destinations,
        ledger=ledger,
        run=record.fields(),
    )
    return Pushed(str(entry.kind), entry.number, entry.version)
