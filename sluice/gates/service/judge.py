"""The law of the service gate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sluice.gates.verdict import Outcome, Reason, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.gates.service.evidence import ServiceEvidence
    from sluice.gates.service.policy import ServicePolicy

MIB = 2**20


def judge(evidence: ServiceEvidence, policy: ServicePolicy, *, subjects: dict[str, str]) -> Verdict:
    """Judge an export by how it loaded and answered.

    Args:
        evidence: what was seen.
        policy: the rules.
        subjects: digests of what was asked.
    """
    facts = {"server": evidence.server}
    return verdict("service", list(_reasons(evidence, policy)), subjects=subjects, policy=policy, evidence=facts)


def _reasons(evidence: ServiceEvidence, policy: ServicePolicy) -> Iterator[Reason]:
    size = evidence.size / MIB
    yield _at_most("size", "artifact", size, policy.max_size_mb, "MiB", "leave out what serving does not need")
    yield Reason(
        rule="load", subject=evidence.server, outcome=_outcome(evidence.loaded),
        sentence="a fresh process loads the export" if evidence.loaded
        else f"a fresh process cannot load or serve the export: {evidence.failure}",
    )  # fmt: skip
    if not evidence.loaded:
        return
    yield _at_most("load_seconds", "start to readiness", evidence.load_seconds, policy.max_load_seconds, "s",
                   "export a smaller model, or raise the budget")  # fmt: skip
    yield _golden(evidence, policy)
    for request, refused in sorted(evidence.malformed.items()):
        yield Reason(
            rule="malformed", subject=request, outcome=_outcome(refused),
            sentence=f"a request with {request} "
            + ("gets an error, and the server lives on" if refused else "is answered, or brings the server down"),
        )  # fmt: skip
    yield _at_most("p99", "single-row requests", percentile(evidence.latencies, 0.99), policy.max_p99_ms, "ms",
                   "export a faster model, or raise the budget")  # fmt: skip
    yield _at_most("memory", "serving process", evidence.memory / MIB, policy.max_memory_mb, "MiB",
                   "export a smaller model, or raise the budget")  # fmt: skip


def _golden(evidence: ServiceEvidence, policy: ServicePolicy) -> Reason:
    complete = evidence.answered == evidence.asked and evidence.asked > 0
    difference = evidence.difference if evidence.difference is not None else math.inf
    equal = complete and difference <= policy.tolerance
    told = f"{evidence.answered:,} of {evidence.asked:,} golden requests answered"
    if evidence.difference is not None:
        told += f", at most {difference:.2g} from the trainer's own predictions"
    return Reason(
        rule="golden", subject="predictions", outcome=_outcome(equal), bound=policy.tolerance,
        observed=difference if math.isfinite(difference) else "no answer",
        sentence=told if equal else f"{told}; {policy.tolerance:.2g} is allowed: the export does not do what was trained",
    )  # fmt: skip


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
