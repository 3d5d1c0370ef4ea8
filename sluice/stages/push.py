"""Push: check all three verdicts again, publish, and append to the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sluice.errors import SluiceError
from sluice.examples.manifest import Manifest
from sluice.stages.runtime import Artifact, RunRecord, stage, taken, taken_examples, taken_verdict

if TYPE_CHECKING:
    from collections.abc import Callable


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

    changed: list[str] = []

    def checked(take: Callable[..., Path], artifact: Artifact, *names: str) -> Path:
        """The artifact's folder; that it was changed or swapped is a reason to refuse, not a reason to stop."""
        try:
            return take(artifact, *names)
        except SluiceError as error:
            changed.append(error.what)
            return Path(artifact.path)

    entry = push(
        model=checked(taken, model, "model", "train"),
        statistics=checked(taken, statistics, "statistics", "validate"),
        schema=checked(taken, schema, "schema", "validate"),
        verdicts={
            "data": checked(taken_verdict, data_verdict, "data_verdict"),
            "model": checked(taken_verdict, model_verdict, "model_verdict"),
            "service": checked(taken_verdict, service_verdict, "service_verdict"),
        },
        policies=policies,
        examples=Manifest.load(checked(taken_examples, examples)),
        destinations=destinations,
        ledger=ledger,
        run=record.fields(),
        objections=changed,
    )
    return Pushed(str(entry.kind), entry.number, entry.version)
