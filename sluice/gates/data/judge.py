"""The law of the data gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.gates.data.anomalies import severity_of
from sluice.gates.data.drift import divergence, noise_floor
from sluice.gates.verdict import Outcome, Reason, Severity, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.gates.data.evidence import DataEvidence
    from sluice.gates.data.policy import DataPolicy, Drift


def judge(evidence: DataEvidence, policy: DataPolicy, *, subjects: dict[str, str], baseline: int | None) -> Verdict:
    """Judge examples by a policy.

    Args:
        evidence: facts about the examples.
        policy: the rules.
        subjects: digests of what is judged.
        baseline: version of the champion whose statistics they were compared with, or None.
    """
    reasons = [
        *_enough_rows(evidence, policy),
        *_label(evidence),
        *_schema(evidence, policy),
        *_missing(evidence, policy),
        *_drift(evidence, policy),
    ]
    return verdict("data", reasons, subjects=subjects, policy=policy, baseline=baseline, bootstrap=evidence.inferred)


def _enough_rows(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    for split, rows in evidence.rows.items():
        enough = rows >= policy.min_rows
        yield Reason(
            rule="min_rows", subject=split, observed=rows, bound=policy.min_rows,
            outcome=Outcome.PASSED if enough else Outcome.INCONCLUSIVE,
            sentence=f"{split} has {rows:,} rows" + ("" if enough else
                     f", fewer than the {policy.min_rows:,} that a judgement needs: {policy.min_rows - rows:,} more would settle it"),
        )  # fmt: skip


def _label(evidence: DataEvidence) -> Iterator[Reason]:
    varies = evidence.label_values > 1
    yield Reason(
        rule="label", subject=evidence.label, observed=evidence.label_values, bound=2,
        outcome=Outcome.PASSED if varies else Outcome.FAILED,
        sentence=f"the label {evidence.label!r} has {evidence.label_values} distinct value(s)"
                 + ("" if varies else ": a constant label teaches nothing; check the source or the filter"),
    )  # fmt: skip


def _schema(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    counted = 0
    for anomaly in evidence.anomalies:
        severity = severity_of(anomaly, policy.anomalies)
        if severity == "ignore":
            continue
        counted += 1
        yield Reason(
            rule="schema", subject=f"{anomaly.feature} @ {anomaly.split}" if anomaly.feature else anomaly.split,
            observed=anomaly.kind, outcome=Outcome.FAILED, severity=Severity(severity),
            sentence=f"{anomaly.feature or 'the data'} in {anomaly.split}: {anomaly.sentence}",
        )  # fmt: skip
    if not counted:
        told = "the schema was inferred from this data" if evidence.inferred else "nothing departs from the schema"
        yield Reason(rule="schema", subject="all features", outcome=Outcome.PASSED, sentence=told)


def _missing(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    for feature in evidence.features:
        fraction = evidence.missing.get(feature, 1.0)
        fits = fraction <= policy.max_missing
        yield Reason(
            rule="max_missing", subject=feature, observed=round(fraction, 6), bound=policy.max_missing,
            outcome=Outcome.PASSED if fits else Outcome.FAILED,
            sentence=f"{fraction:.1%} of {feature} is missing" + ("" if fits else f"; at most {policy.max_missing:.0%} is allowed"),
        )  # fmt: skip


def _drift(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    judged = [(d, policy.label_shift if d.feature == evidence.label else policy.drift) for d in evidence.distributions]
    for distribution, bounds in judged:
        if bounds is None:
            continue
        yield _one_drift(
            "label_shift" if distribution.feature == evidence.label else "drift", distribution.feature,
            distribution.current, distribution.baseline, bounds, len(judged),
        )  # fmt: skip


def _one_drift(
    rule: str, feature: str, current: tuple[int, ...], baseline: tuple[int, ...], bounds: Drift, features: int
) -> Reason:
    distance = float(divergence(current, baseline))
    floor = noise_floor(
        current, baseline, quantile=1 - bounds.alpha / features, resamples=bounds.resamples, seed=bounds.seed
    )
    effect = max(0.0, distance - floor)
    fits = effect <= bounds.warning
    told = f"{feature} moved by {distance:.4f} bits (chance alone: up to {floor:.4f})"
    return Reason(
        rule=rule, subject=feature, observed=round(distance, 9), bound=round(floor + bounds.error, 9),
        outcome=Outcome.PASSED if fits else Outcome.FAILED,
        severity=Severity.ERROR if fits or effect > bounds.error else Severity.WARNING,
        sentence=told if fits else f"{told}; more than {bounds.error if effect > bounds.error else bounds.warning} above it "
                 "is a shift: look at the report, then fix the source or accept the new distribution in the policy",
    )  # fmt: skip
