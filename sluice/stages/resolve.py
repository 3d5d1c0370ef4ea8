"""Resolve: which champion to compare with, and which span to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sluice.examples.source import Source
from sluice.stages.runtime import Artifact, parse, record, stage


class Resolved(NamedTuple):
    """The champion's version (0 where there is none) and the span in explicit form, e.g. ``2-4``."""

    version: int
    span: str


@stage
def run(
    *, ledger: str, source: dict[str, Any], span: str, model: Artifact, statistics: Artifact, schema: Artifact
) -> Resolved:
    """Fetch the champion's model, statistics and schema from the ledger; settle ``latest`` or ``next`` spans."""
    from sluice.examples import spans
    from sluice.promotion.ledger import Ledger
    from sluice.promotion.resolve import resolve

    champion = resolve(
        ledger, model_out=Path(model.path), statistics_out=Path(statistics.path), schema_out=Path(schema.path)
    )
    version = champion.version if champion else 0
    for artifact in (model, statistics, schema):
        artifact.metadata["version"] = version
    record(model, statistics, schema)
    return Resolved(version, spans.select(parse(Source, source, "source"), span, Ledger.at(ledger).last_span()))
