"""The law of the service gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.gates.service.evidence import ServiceEvidence
from sluice.gates.service.judge import judge, percentile
from sluice.gates.service.policy import ServicePolicy
from sluice.gates.verdict import Status

GOOD = ServiceEvidence(
    server="fresh process", loaded=True, size=1 << 20, load_seconds=4.0, answered=200, asked=200, difference=1e-7,
    latencies=tuple([1.0] * 99 + [50.0]), memory=600 << 20, malformed={"no inputs": True},
)  # fmt: skip


def rules(evidence: ServiceEvidence, policy: ServicePolicy | None = None) -> set[str]:
    verdict = judge(evidence, policy or ServicePolicy(), subjects={"model": "sha256:0"})
    assert (verdict.status is Status.BLESSED) == (not [r for r in verdict.reasons if r.closes])
    return {reason.rule for reason in verdict.reasons if reason.closes}


def test_a_good_export_is_blessed() -> None:
    assert rules(GOOD) == set()


@pytest.mark.parametrize(
    ("evidence", "rule"),
    [
        (replace(GOOD, loaded=False, failure="no such op"), "load"),
        (replace(GOOD, size=2 << 30), "size"),
        (replace(GOOD, load_seconds=121.0), "load_seconds"),
        (replace(GOOD, difference=1e-3), "golden"),
        (replace(GOOD, difference=float("inf")), "golden"),
        (replace(GOOD, answered=199), "golden"),
        (replace(GOOD, answered=0, asked=0, difference=None), "golden"),
        (replace(GOOD, latencies=tuple([1.0] * 98 + [150.0] * 2)), "p99"),
        (replace(GOOD, latencies=()), "p99"),
        (replace(GOOD, memory=3 << 30), "memory"),
        (replace(GOOD, malformed={"no inputs": False}), "malformed"),
    ],
)
def test_each_rule_closes_the_gate(evidence: ServiceEvidence, rule: str) -> None:
    assert rule in rules(evidence)


def test_percentile() -> None:
    assert percentile(tuple(range(1, 101)), 0.99) == 99
    assert percentile((5.0,), 0.99) == 5.0
