"""Ingest: from the source to an examples artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.examples.source import Source
from sluice.examples.split import Split
from sluice.progress import progress
from sluice.stages.runtime import Artifact, parse, stage
from sluice.training.spec import Label


@stage
def run(
    *,
    source: dict[str, Any],
    split: dict[str, Any],
    span: str,
    label: dict[str, Any],
    given_schema: str,
    examples: Artifact,
) -> None:
    """Read one span or window of the source, divide it and write Parquet with a manifest."""
    from sluice.examples.ingest import ingest

    manifest = ingest(
        parse(Source, source, "source"),
        parse(Split, split, "split"),
        span,
        Path(examples.path),
        label=parse(Label, label, "label").column if label else None,
        schema=given_schema,
    )
    for note in manifest.notes():
        progress(note)
    examples.metadata.update(
        span=span,
        digest=manifest.digest,
        format=manifest.format,
        rows_in=manifest.rows_in,
        quarantined=manifest.quarantined,
        left_out=manifest.left_out,
        notes=manifest.notes(),
        **{f"rows_{name}": facts.rows for name, facts in manifest.splits.items()},
    )
