"""Refuse: record in the ledger that a gate stayed closed, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.stages.runtime import Artifact, stage


@stage
def run(*, verdict: Artifact, ledger: str, run: dict[str, Any]) -> int:
    """Append a refusal; returns the entry's number."""
    from sluice.promotion.refuse import refuse

    return refuse(verdict=Path(verdict.path), ledger=ledger, run=run).number
