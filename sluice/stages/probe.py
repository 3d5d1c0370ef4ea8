"""Probe: load what would be pushed in a fresh process, talk to it, and the service gate."""

from __future__ import annotations

from typing import Any

from sluice.gates.service.policy import ServicePolicy
from sluice.stages.runtime import Artifact, Gate, close, parse, stage, taken


@stage
def run(*, model: Artifact, golden: Artifact, policy: dict[str, Any], verdict: Artifact, run_page: str = "") -> Gate:
    """Send golden requests to the export and judge its answers, its latency and its size."""
    from sluice.serving.probe import probe

    judged = probe(
        model=taken(model, "model", "train"),
        golden=taken(golden, "golden", "train"),
        policy=parse(ServicePolicy, policy, "policy"),
    )
    return close(judged, verdict, run_page)
