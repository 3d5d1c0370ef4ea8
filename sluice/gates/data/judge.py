"""The law of the data gate."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from sluice.gates.data.drift import MEASURES, noise_floor, pool_tail
from sluice.gates.data.label import FLOAT32, label_rules
from sluice.gates.data.sampling import area_spread, distinct_share
from sluice.gates.data.schema import departures
from sluice.gates.verdict import JudgedRows, Outcome, Reason, Severity, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.gates.data.evidence import DataEvidence, Distribution
    from sluice.gates.data.policy import DataPolicy, Drift


def judge(
    evidence: DataEvidence, policy: DataPolicy, *, subjects: dict[str, str], baseline: int | None,
    splits: dict[str, JudgedRows] | None = None,
) -> Verdict:  # fmt: skip
    """Judge examples by a policy.

    Args:
        evidence: facts about the examples.
        policy: the rules.
        subjects: digests of what is judged.
        baseline: version of the champion whose statistics they were compared with, or None.
        splits: the rows that are judged.
    """
    reasons = [
        *_enough_rows(evidence, policy),
        *_label(evidence, policy),
        *(label_rules(evidence.target) if evidence.target else ()),
        *_float32(evidence),
        *departures(evidence, policy),
        *_missing(evidence, policy),
        *_duplicates(evidence, policy),
        *_shared(evidence),
        *_ranges(evidence, policy),
        *_freshness(evidence, policy),
        *_leakage(evidence, policy),
        *_association(evidence, policy),
        *_drift(evidence, policy),
    ]
    return verdict("data", reasons, subjects=subjects, splits=splits, policy=policy, baseline=baseline,
                   bootstrap=evidence.inferred, evidence=_on_record(evidence))  # fmt: skip


def _on_record(evidence: DataEvidence) -> dict[str, object]:
    """What became of the rows before they were judged."""
    counts = {name: getattr(evidence, name) for name in ("rows_in", "quarantined", "left_out")}
    return {"rows": counts, "notes": list(evidence.notes)} if evidence.rows_in else {}


def _enough_rows(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    for split, rows in evidence.rows.items():
        enough = rows >= policy.min_rows
        yield Reason(
            rule="min_rows", subject=split, observed=rows, bound=policy.min_rows,
            outcome=Outcome.PASSED if enough else Outcome.INCONCLUSIVE,
            sentence=f"{split} has {rows:,} rows" + ("" if enough else
                     f", fewer than the {policy.min_rows:,} that a judgement needs: {policy.min_rows - rows:,} more would settle it"),
        )  # fmt: skip


def _label(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    if not evidence.label:
        return  # data to be served
    varies = evidence.label_values > 1
    yield Reason(
        rule="label", subject=evidence.label, observed=evidence.label_values, bound=2,
        outcome=Outcome.PASSED if varies else Outcome.FAILED,
        sentence=f"the label {evidence.label!r} has {evidence.label_values} distinct value(s)"
                 + ("" if varies else ": a constant label teaches nothing; check the source or the filter" if evidence.label_values else
                    ": it is not a column of the data, or has no value; check the name, and the source"),
    )  # fmt: skip
    if varies and evidence.classes:
        rarest = min(evidence.classes, key=lambda name: (evidence.classes[name], name))
        share = evidence.classes[rarest] / sum(evidence.classes.values())
        fits = share >= policy.min_class
        yield Reason(
            rule="min_class", subject=evidence.label, observed=round(share, 9), bound=policy.min_class,
            outcome=Outcome.PASSED if fits else Outcome.FAILED,
            sentence=f"the rarest class {rarest!r} holds {share:.2%} of the rows"
                     + ("" if fits else f", {policy.min_class:.2%} are asked for: gather more of it, or lower min_class"),
        )  # fmt: skip


def _float32(evidence: DataEvidence) -> Iterator[Reason]:
    """A number that a model sees fits a float32: beyond it is infinite."""
    for feature in evidence.features:
        extent = evidence.extents.get(feature)
        if extent and max(abs(extent.low), abs(extent.high)) > FLOAT32:
            yield Reason(
                rule="float32", subject=feature, outcome=Outcome.FAILED, observed=f"{extent.low:.6g} to {extent.high:.6g}",
                bound=FLOAT32,
                sentence=f"{feature} reaches from {extent.low:.6g} to {extent.high:.6g}, and models see float32, up to "
                f"±{FLOAT32:.3g}: give it in another unit, or mend the values in the source",
            )  # fmt: skip


def _missing(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    for feature in evidence.features:
        fraction = evidence.missing.get(feature, 1.0)
        fits = fraction <= policy.max_missing
        yield Reason(
            rule="max_missing", subject=feature, observed=round(fraction, 6), bound=policy.max_missing,
            outcome=Outcome.PASSED if fits else Outcome.FAILED,
            sentence=f"{fraction:.1%} of {feature} is missing" + ("" if fits else f"; at most {policy.max_missing:.0%} is allowed"),
        )  # fmt: skip


def _duplicates(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    if evidence.duplicates is None:
        return
    before = evidence.repetition_before
    distinct = 1.0 if before is None else distinct_share(sum(evidence.rows.values()), before)
    bound = 1 - distinct * (1 - policy.max_duplicates)
    fits = evidence.duplicates <= bound
    repeated = None if before is None else 1 - before.distinct / max(1, before.rows)
    told = "" if before is None else f", {repeated or 0:.1%} of the baseline's {before.rows:,}"
    yield Reason(
        rule="max_duplicates", subject="rows", observed=round(evidence.duplicates, 9), bound=round(bound, 9),
        baseline=None if repeated is None else round(repeated, 9), outcome=Outcome.PASSED if fits else Outcome.FAILED,
        sentence=f"{evidence.duplicates:.1%} of the rows repeat another row{told}"
                 + ("" if fits else f"; at most {bound:.1%} is allowed: was a file read twice? Rows of few columns repeat by nature: "
                    "then raise policies.data.max_duplicates"),
    )  # fmt: skip


def _shared(evidence: DataEvidence) -> Iterator[Reason]:
    if evidence.shared is None:
        return
    yield Reason(
        rule="shared_rows", subject="splits", observed=evidence.shared, bound=0,
        outcome=Outcome.FAILED if evidence.shared else Outcome.PASSED,
        sentence=f"{evidence.shared:,} rows stand in more than one split"
                 + (": what is evaluated was trained on; split by a hash of the row or of a key" if evidence.shared else ""),
    )  # fmt: skip


def _ranges(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    for feature, bounds in sorted(policy.ranges.items()):
        extent = evidence.extents.get(feature)
        if extent is None:
            yield Reason(rule="range", subject=feature, outcome=Outcome.FAILED,
                         sentence=f"{feature} has no numbers to hold against its range: it is not a number, or all missing")  # fmt: skip
            continue
        for end, seen, bound, good in (
            ("smallest", extent.low, bounds.at_least, bounds.at_least is None or extent.low >= bounds.at_least),
            ("largest", extent.high, bounds.at_most, bounds.at_most is None or extent.high <= bounds.at_most),
        ):
            if bound is not None:
                yield Reason(
                    rule="range", subject=f"{feature}, {end}", observed=seen, bound=bound,
                    outcome=Outcome.PASSED if good else Outcome.FAILED,
                    sentence=f"the {end} {feature} is {seen:g}" + ("" if good else f", outside its bound {bound:g}: look for a changed unit or a sentinel"),
                )  # fmt: skip


def _freshness(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    if policy.freshness is None:
        return
    column, days = policy.freshness.column, evidence.age.get(policy.freshness.column)
    if days is None:
        yield Reason(rule="freshness", subject=column, outcome=Outcome.FAILED,
                     sentence=f"{column} is no time column of the data, or all missing")  # fmt: skip
        return
    future = days < 0
    fits = not future and days <= policy.freshness.days
    yield Reason(
        rule="freshness", subject=column, observed=round(days, 3), bound=policy.freshness.days,
        outcome=Outcome.PASSED if fits else Outcome.FAILED,
        sentence=f"the newest {column} lies {-days:.1f} days in the future: look for rows that cannot have happened yet" if future
        else f"the newest {column} is {days:.1f} days old" + ("" if fits else f", {policy.freshness.days:g} are allowed: did the source stop?"),
    )  # fmt: skip


def _leakage(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    """A feature that alone ranks the label too well; not one that the champion had as strong, nor what chance may have done."""
    if policy.leakage == "off":
        return
    for feature, area in sorted(evidence.held_out.items()):
        spread = area_spread(area, tuple(evidence.classes.values()))
        chance = NormalDist().inv_cdf(1 - 0.005 / len(evidence.held_out)) * spread
        before = evidence.alone_before.get(feature)
        known = before is not None and area - before <= math.sqrt(2) * chance
        fits, sure = area < policy.leakage or known, area - chance >= policy.leakage
        told = f"{feature} alone ranks the label with an AUC of {area:.3f} (chance alone: {chance:.3f})"
        yield Reason(
            rule="leakage", subject=feature, observed=round(area, 9), bound=policy.leakage,
            baseline=None if before is None else round(before, 9),
            outcome=Outcome.PASSED if fits else Outcome.FAILED, severity=Severity.ERROR if fits or sure else Severity.WARNING,
            sentence=told + (f", {before:.3f} before" if known and area >= policy.leakage else "")
                     + ("" if fits else ": too good to be known before the event; take it out, or raise policies.data.leakage if it is"),
        )  # fmt: skip


def _association(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    """Does a feature still say of the label what it said? Flipped or shuffled labels keep every distribution."""
    shared = sorted(set(evidence.alone) & set(evidence.alone_before))
    if policy.association == "off" or len(evidence.classes) != 2 or not shared:
        return
    # The spread of an AUC near 1/2 (Hanley and McNeil 1982), of two independent samples, corrected for their number.
    spread = math.sqrt(2 * sum(evidence.classes.values()) / (12 * math.prod(evidence.classes.values())))
    floor = NormalDist().inv_cdf(1 - 0.005 / len(shared)) * spread
    for feature in shared:
        now, then = evidence.alone[feature], evidence.alone_before[feature]
        fits = abs(now - then) <= floor + policy.association
        yield Reason(
            rule="association", subject=feature, observed=round(now, 9), baseline=round(then, 9), bound=round(floor + policy.association, 9),
            outcome=Outcome.PASSED if fits else Outcome.FAILED,
            sentence=f"{feature} alone ranks the label with an AUC of {now:.3f}, {then:.3f} before (chance alone: {floor:.3f})"
                     + ("" if fits else f"; more than {policy.association:g} above it: look for flipped, shuffled or leaked labels"),
        )  # fmt: skip


def _drift(evidence: DataEvidence, policy: DataPolicy) -> Iterator[Reason]:
    known = {d.feature for d in evidence.distributions}
    if policy.drift != "off" and (unknown := sorted(set(policy.drift.features) - {*evidence.features, evidence.label})):
        yield Reason(rule="drift", subject=", ".join(unknown), outcome=Outcome.FAILED,
                     sentence=f"the policy bounds the drift of {', '.join(unknown)}, and there is no such feature")  # fmt: skip
    if policy.drift != "off":
        for feature in evidence.uncompared:
            yield Reason(
                rule="drift", subject=feature, outcome=Outcome.INCONCLUSIVE, severity=Severity.WARNING,
                sentence=f"{feature} is not compared: statistics of another framework hold no exact counts of a number; give the data",
            )  # fmt: skip
    for distribution in evidence.distributions:
        label = distribution.feature == evidence.label
        drift = policy.label_shift if label else policy.drift
        if drift != "off":
            yield _moved("label_shift" if label else "drift", distribution, drift, len(known))


def _moved(rule: str, held: Distribution, drift: Drift, features: int) -> Reason:
    """How far one distribution moved above what chance explains."""
    bounds = drift.of(held.feature)
    if bounds.measure == "linf" and not held.categories:
        return Reason(rule=rule, subject=held.feature, outcome=Outcome.FAILED,
                      sentence=f"linf compares shares of values, and {held.feature} is a number: use js")  # fmt: skip
    current, baseline = held.current, held.baseline
    if held.categories:
        current, baseline = (tuple(int(n) for n in counts) for counts in pool_tail(current, baseline, drift.tail))
    distance, floor = float(MEASURES[bounds.measure](current, baseline)), 0.0
    if not bounds.flat:
        floor = noise_floor(current, baseline, quantile=1 - drift.alpha / features, resamples=drift.resamples, seed=drift.seed,
                            measure=bounds.measure)  # fmt: skip
    effect = max(0.0, distance - floor)
    fits, grave = effect <= bounds.warning, effect > bounds.error
    unit = " bits" if bounds.measure == "js" else ""
    told = f"{held.feature} moved by {distance:.4f}{unit}" + (
        "" if bounds.flat else f" (chance alone: up to {floor:.4f})"
    )
    return Reason(
        rule=rule, subject=held.feature, observed=round(distance, 9), bound=round(floor + bounds.error, 9),
        outcome=Outcome.PASSED if fits else Outcome.FAILED, severity=Severity.ERROR if fits or grave else Severity.WARNING,
        sentence=told if fits else f"{told}; more than {bounds.error if grave else bounds.warning:g} above it is a shift: look "
        f"at the report, then mend the source, or accept it under policies.data.{'label_shift' if rule == 'label_shift' else 'drift.features'}",
    )  # fmt: skip
