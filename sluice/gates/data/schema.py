"""The rule `schema`: what departs from the schema, and from an inferred one by more than two samples differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.gates.data.anomalies import allowed_by, severity_of
from sluice.gates.data.sampling import FAMILY, drop_in_presence, unseen_rows
from sluice.gates.verdict import Outcome, Reason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.gates.data.evidence import DataEvidence, Presence, UnseenValues
    from sluice.gates.data.policy import DataPolicy


def departures(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    """Every departure from the schema with its severity, its type, and the line of policy that would let it pass.

    Where the schema was inferred, unseen values and missing ones are compared with what chance explains at these sizes,
    at `FAMILY` over all such tests; what it explains is reported and passes.
    """
    alpha = FAMILY / max(1, len(evidence.unseen) + len(evidence.presence))
    reasons = [
        *_anomalies(evidence, policy),
        *(reason for held in evidence.unseen for reason in _unseen(held, policy, alpha)),
        *(reason for held in evidence.presence for reason in _presence(held, policy, alpha)),
    ]
    yield from reasons
    if not reasons:
        told = "the schema was inferred from this data" if evidence.inferred else "nothing departs from the schema"
        yield Reason(rule="schema", subject="all features", outcome=Outcome.PASSED, sentence=told)


def _anomalies(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    for anomaly in evidence.anomalies:
        severity = severity_of(anomaly, policy.anomalies)
        if severity == "ignore":
            continue
        sentence = anomaly.sentence.strip().rstrip(".")
        yield Reason(
            rule="schema", subject=f"{anomaly.feature} @ {anomaly.split}" if anomaly.feature else anomaly.split,
            observed=anomaly.kind, outcome=Outcome.FAILED, severity=Severity(severity),
            sentence=f"{anomaly.feature or 'the data'} in {anomaly.split}: {sentence} ({anomaly.kind}); to allow it: "
                     + allowed_by(anomaly, severity),
        )  # fmt: skip


def _unseen(held: UnseenValues, policy: DataPolicy, alpha: float) -> Iterator[Reason]:
    severity = severity_of(held, policy.anomalies)
    if severity == "ignore" or not held.unseen:
        return
    share = held.unseen / held.rows
    chance = unseen_rows(held.pooled, held.rows, held.baseline_rows, alpha) / held.rows
    fits = share <= chance + held.tolerance
    named = f" ({', '.join(held.values)})" if held.values else ""
    yield Reason(
        rule="schema", subject=f"{held.feature} @ {held.split}", observed=round(share, 9), bound=round(chance + held.tolerance, 9),
        outcome=Outcome.PASSED if fits else Outcome.FAILED, severity=Severity.ERROR if fits else Severity(severity),
        sentence=f"{held.feature} in {held.split}: {share:.2%} of the values are not in the schema{named}; {held.baseline_rows:,} rows "
        f"that it was inferred from explain up to {chance:.2%}, {held.tolerance:.0%} is allowed beside"
        + ("" if fits else f" ({held.kind}); to allow it: {allowed_by(held, severity)}"),
    )  # fmt: skip


def _presence(held: Presence, policy: DataPolicy, alpha: float) -> Iterator[Reason]:
    severity = severity_of(held, policy.anomalies)
    before, now = held.baseline_present / max(1, held.baseline_rows), held.present / max(1, held.rows)
    if severity == "ignore" or now >= before - held.tolerance:
        return
    chance = drop_in_presence(held.present, held.rows, held.baseline_present, held.baseline_rows, alpha)
    bound = before - held.tolerance - chance
    fits = now >= bound
    yield Reason(
        rule="schema", subject=f"{held.feature} @ {held.split}", observed=round(now, 9), bound=round(bound, 9), baseline=round(before, 9),
        outcome=Outcome.PASSED if fits else Outcome.FAILED, severity=Severity.ERROR if fits else Severity(severity),
        sentence=f"{held.feature} in {held.split}: {now:.2%} of the rows have it, {before:.2%} of the {held.baseline_rows:,} rows that the "
        f"schema was inferred from; a fall of {chance:.2%} is explained by chance, {held.tolerance:.0%} is allowed beside"
        + ("" if fits else f" ({held.kind}); to allow it: {allowed_by(held, severity)}"),
    )  # fmt: skip
