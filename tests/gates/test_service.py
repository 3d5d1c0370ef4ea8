"""The law of the service gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.gates.service.evidence import ServiceEvidence, Soak, Talk
from sluice.gates.service.judge import judge, percentile
from sluice.gates.service.policy import ServicePolicy
from sluice.gates.verdict import Status

TALK = Talk(
    asked=200, answered=200, difference=1e-7, latencies=tuple([1.0] * 99 + [50.0]), malformed={"no inputs": True}
)
SOAK = Soak(seconds=10.0, asked=200, failed=0, latencies=tuple([1.0] * 200), growth=1 << 20)
GOOD = ServiceEvidence(
    server="fresh process", loaded=True, size=1 << 20, load_seconds=4.0, talks=(TALK,), memory=600 << 20
)


def said(**changes: object) -> ServiceEvidence:
    return replace(GOOD, talks=(replace(TALK, **changes),))  # type: ignore[arg-type]


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
        (said(difference=1e-3), "golden"),
        (said(difference=float("inf")), "golden"),
        (said(answered=199), "golden"),
        (said(answered=0, asked=0, difference=None), "golden"),
        (said(latencies=tuple([1.0] * 98 + [150.0] * 2)), "p99"),
        (said(latencies=()), "p99"),
        (said(malformed={"no inputs": False}), "malformed"),
        (replace(GOOD, memory=3 << 30), "memory"),
        (replace(GOOD, talks=(TALK, replace(TALK, protocol="v2", answered=1))), "golden"),
        (replace(GOOD, warmup=(9, 10)), "warmup"),
        (replace(GOOD, soak=replace(SOAK, failed=1)), "soak"),
        (replace(GOOD, soak=replace(SOAK, asked=0)), "soak"),
        (replace(GOOD, soak=replace(SOAK, latencies=(150.0,))), "soak"),
        (replace(GOOD, soak=replace(SOAK, growth=65 << 20)), "soak"),
    ],
)
def test_each_rule_closes_the_gate(evidence: ServiceEvidence, rule: str) -> None:
    assert rule in rules(evidence)


def test_percentile() -> None:
    assert percentile(tuple(range(1, 101)), 0.99) == 99
    assert percentile((5.0,), 0.99) == 5.0


def test_optional_budgets_ask_nothing_until_they_are_set() -> None:
    assert rules(replace(GOOD, soak=SOAK, warmup=(10, 10))) == set()
    assert rules(GOOD, ServicePolicy(max_p99_ms=0, max_p50_ms=0.5, max_p95_ms=0.5)) == {"p50", "p95"}
    assert rules(GOOD, ServicePolicy(min_throughput=100)) == {"throughput"}
    assert rules(replace(GOOD, throughput=99.9), ServicePolicy(min_throughput=100)) == {"throughput"}
    assert rules(replace(GOOD, throughput=100.0), ServicePolicy(min_throughput=100)) == set()


@pytest.mark.parametrize(
    ("field", "rule", "at", "policy"),
    [
        ("load_seconds", "load_seconds", 120.0, "max_load_seconds"),
        ("size", "size", 1024 << 20, "max_size_mb"),
        ("memory", "memory", 2048 << 20, "max_memory_mb"),
    ],
)
def test_a_bound_is_met_at_itself(field: str, rule: str, at: float, policy: str) -> None:
    assert rules(replace(GOOD, **{field: at})) == set()
    assert rules(replace(GOOD, **{field: at + 1})) == {rule}


def test_the_verdict_names_server_and_image() -> None:
    evidence = replace(GOOD, server="kserve 0.21.0", image="registry/sluice/kserve@sha256:1")
    assert judge(evidence, ServicePolicy(), subjects={}).evidence == {
        "server": "kserve 0.21.0",
        "image": "registry/sluice/kserve@sha256:1",
    }


def test_reasons_name_the_protocol() -> None:
    evidence = replace(GOOD, talks=(replace(TALK, protocol="v1"), replace(TALK, protocol="grpc")))
    subjects = {reason.subject for reason in judge(evidence, ServicePolicy(), subjects={}).reasons}
    assert {
        "predictions over v1",
        "predictions over grpc",
        "no inputs over v1",
        "single-row requests over grpc",
    } <= subjects


def test_a_protocol_that_the_server_does_not_speak_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="tensorflow_serving does not speak v2; it speaks v1, grpc"):
        ServicePolicy(server="tensorflow_serving", protocols=["v2"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="process does not speak v1; it speaks none of them"):
        ServicePolicy(protocols=["v1"])  # type: ignore[arg-type]
    assert ServicePolicy(server="kserve").asked == ("v1", "v2", "grpc")  # type: ignore[arg-type]
