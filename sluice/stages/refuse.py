"""Refuse: record in the ledger that a gate stayed closed, and why."""

from __future__ import annotations

from pathlib import Path

from sluice.stages.runtime import Artifact, RunRecord, stage


@stage
def run(*, verdict: Artifact, ledger: str, record: RunRecord) -> int:
    """Append a refusal; returns the entry's number."""
    from sluice.promotion.refuse import refuse

    return refuse(verdict=Path(verdict.path), ledger=ledger, run=record.fields()).number
