"""The law of the service gate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sluice.gates.verdict import Outcome, Reason, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.gates.service.evidence import ServiceEvidence, Soak, Talk
    from sluice.gates.service.policy import ServicePolicy

MIB = 2**20


def judge(evidence: ServiceEvidence, policy: ServicePolicy, *, subjects: dict[str, str]) -> Verdict:
    """Judge an export by how it loaded and answered.

    Args:
        evidence: what was seen.
        policy: the rules.
        subjects: digests of what was asked.
    """
    facts = {"server": evidence.server} | ({"image": evidence.image} if evidence.image else {})
    return verdict("service", list(_reasons(evidence, policy)), subjects=subjects, policy=policy, evidence=facts)


def _reasons(evidence: ServiceEvidence, policy: ServicePolicy) -> Iterator[Reason]:
    size = evidence.size / MIB
    yield _at_most("size", "artifact", size, policy.max_size_mb, "MiB", "leave out what serving does not need")
    yield Reason(
        rule="load", subject=evidence.server, outcome=_outcome(evidence.loaded),
        sentence="a fresh server loads the export, and lives" if evidence.loaded
        else f"a fresh server cannot load or serve the export: {evidence.failure}",
    )  # fmt: skip
    if not evidence.loaded:
        return
    yield _at_most("load_seconds", "start to readiness", evidence.load_seconds, policy.max_load_seconds, "s",
                   "export a smaller model, or raise the budget")  # fmt: skip
    for talk in evidence.talks:
        yield from _talk(talk, policy)
    if policy.min_throughput:
        yield _throughput(evidence.throughput or 0.0, policy)
    if evidence.warmup:
        yield _warmup(*evidence.warmup)
    if evidence.soak:
        yield from _soak(evidence.soak, policy)
    yield _at_most("memory", "serving process", evidence.memory / MIB, policy.max_memory_mb, "MiB",
                   "export a smaller model, or raise the budget")  # fmt: skip


def _talk(talk: Talk, policy: ServicePolicy) -> Iterator[Reason]:
    over = f" over {talk.protocol}" if talk.protocol else ""
    yield _golden(talk, policy, over)
    for request, refused in sorted(talk.malformed.items()):
        yield Reason(
            rule="malformed", subject=f"{request}{over}", outcome=_outcome(refused),
            sentence=f"a request with {request}{over} "
            + ("gets an error, and the server lives on" if refused else "is answered, or brings the server down"),
        )  # fmt: skip
    for rule, fraction, bound in (
        ("p50", 0.5, policy.max_p50_ms),
        ("p95", 0.95, policy.max_p95_ms),
        ("p99", 0.99, policy.max_p99_ms),
    ):
        if bound:
            yield _at_most(rule, f"single-row requests{over}", percentile(talk.latencies, fraction), bound, "ms",
                           "export a faster model, or raise the budget")  # fmt: skip


def _golden(talk: Talk, policy: ServicePolicy, over: str) -> Reason:
    complete = talk.answered == talk.asked and talk.asked > 0
    difference = talk.difference if talk.difference is not None else math.inf
    equal = complete and difference <= policy.tolerance
    told = f"{talk.answered:,} of {talk.asked:,} golden requests answered{over}"
    if talk.difference is not None:
        told += f", at most {difference:.2g} from the trainer's own predictions"
    return Reason(
        rule="golden", subject=f"predictions{over}", outcome=_outcome(equal), bound=policy.tolerance,
        observed=difference if math.isfinite(difference) else "no answer",
        sentence=told if equal else f"{told}; {policy.tolerance:.2g} is allowed: the export does not do what was trained",
    )  # fmt: skip


def _throughput(observed: float, policy: ServicePolicy) -> Reason:
    enough = observed >= policy.min_throughput
    told = (
        f"{observed:,.0f} requests a second by {policy.clients} clients at once, at least {policy.min_throughput:,.4g}"
    )
    return Reason(rule="throughput", subject="single-row requests", observed=round(observed, 1), bound=policy.min_throughput,
                  outcome=_outcome(enough), sentence=told if enough else f"{told}: export a faster model, or lower the bound")  # fmt: skip


def _warmup(answered: int, of: int) -> Reason:
    told = f"{answered} of the artifact's {of} warm-up requests are answered"
    return Reason(rule="warmup", subject="warm-up requests", outcome=_outcome(answered == of > 0), observed=answered, bound=of,
                  sentence=told if answered == of > 0 else f"{told}: they are not for this model; train and export it again")  # fmt: skip


def _soak(soak: Soak, policy: ServicePolicy) -> Iterator[Reason]:
    told = f"{soak.asked:,} requests in {soak.seconds:,.0f} s, {soak.failed:,} failed"
    yield Reason(rule="soak", subject="answers", observed=soak.failed, bound=0, outcome=_outcome(soak.failed == 0 < soak.asked),
                 sentence=told if not soak.failed else f"{told}: see the server's log")  # fmt: skip
    if policy.max_p99_ms:
        yield _at_most("soak", "p99", percentile(soak.latencies, 0.99), policy.max_p99_ms, "ms",
                       "it does not bear the rate: export a faster model, or give it more replicas")  # fmt: skip
    yield _at_most(
        "soak", "memory gained", soak.growth / MIB, policy.max_soak_growth_mb, "MiB", "the server leaks memory"
    )


def _at_most(rule: str, subject: str, observed: float, bound: float, unit: str, remedy: str) -> Reason:
    fits = observed <= bound
    told = f"{subject}: {observed:,.3g} {unit}, at most {bound:,.4g} {unit}"
    return Reason(rule=rule, subject=subject, observed=round(observed, 3), bound=bound, outcome=_outcome(fits),
                  sentence=told if fits else f"{told}: {remedy}")  # fmt: skip


def _outcome(good: bool) -> Outcome:
    return Outcome.PASSED if good else Outcome.FAILED


def percentile(values: tuple[float, ...], fraction: float) -> float:
    """The smallest value that at least `fraction` of the values do not exceed; infinity where there is none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(fraction * len(ranked)) - 1)] if ranked else math.inf
