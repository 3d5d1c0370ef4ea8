"""Refuse: record in the ledger that a gate stayed closed, and why."""

from __future__ import annotations

from sluice.stages.runtime import Artifact, RunRecord, stage, taken_verdict


@stage
def run(*, verdict: Artifact, ledger: str, record: RunRecord) -> int:
    """Append a refusal; returns the entry's number."""
    from sluice.promotion.refuse import refuse

    return refuse(verdict=taken_verdict(verdict, "verdict"), ledger=ledger, run=record.fields()).number
