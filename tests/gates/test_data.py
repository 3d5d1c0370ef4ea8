"""The law of the data gate: every rule, both ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sluice.gates.data.anomalies import SEVERITIES
from sluice.gates.data.drift import divergence, noise_floor
from sluice.gates.data.evidence import Anomaly, DataEvidence, Distribution, Extent, Repetition
from sluice.gates.data.judge import judge
from sluice.gates.data.policy import Bounds, DataPolicy, Drift
from sluice.gates.verdict import Outcome, Reason, Status, Verdict

GOOD = DataEvidence(
    rows={"train": 8000, "eval": 2000}, label="late", label_values=2, features=("distance", "carrier"),
    missing={"distance": 0.0, "carrier": 0.1},
)  # fmt: skip


def judged(evidence: DataEvidence, policy: DataPolicy | None = None) -> Verdict:
    return judge(evidence, policy or DataPolicy(), subjects={"examples": "sha256:0"}, baseline=None)


def closing(verdict: Verdict) -> list[Reason]:
    return [reason for reason in verdict.reasons if reason.closes]


def test_good_data_is_blessed() -> None:
    assert judged(GOOD).status is Status.BLESSED


def test_too_few_rows_are_inconclusive_and_say_how_many_more() -> None:
    verdict = judged(replace(GOOD, rows={"train": 8000, "eval": 990}))
    assert verdict.status is Status.INCONCLUSIVE
    assert "10 more would settle it" in closing(verdict)[0].sentence


@pytest.mark.parametrize(
    ("evidence", "rule"),
    [
        (replace(GOOD, label_values=1), "label"),
        (replace(GOOD, missing={"distance": 0.95, "carrier": 0.0}), "max_missing"),
        (replace(GOOD, anomalies=(Anomaly("distance", "SCHEMA_MISSING_COLUMN", "train", "gone"),)), "schema"),
        (replace(GOOD, distributions=(Distribution("distance", (9000, 1000), (1000, 9000)),)), "drift"),
        (replace(GOOD, distributions=(Distribution("late", (5000, 5000), (9000, 1000)),)), "label_shift"),
    ],
)
def test_each_rule_closes_the_gate(evidence: DataEvidence, rule: str) -> None:
    verdict = judged(evidence)
    assert verdict.status is Status.NOT_BLESSED
    assert {reason.rule for reason in closing(verdict)} == {rule}


def test_an_anomaly_can_be_a_warning_ignored_or_an_error_by_type_and_by_feature() -> None:
    new = replace(GOOD, anomalies=(Anomaly("altitude", "SCHEMA_NEW_COLUMN", "train", "new"),))
    assert judged(new).status is Status.BLESSED
    assert any(reason.severity == "warning" for reason in judged(new).reasons)
    assert judged(new, DataPolicy(anomalies={"SCHEMA_NEW_COLUMN": "error"})).status is Status.NOT_BLESSED
    by_feature = DataPolicy(anomalies={"SCHEMA_NEW_COLUMN": "error", "altitude:SCHEMA_NEW_COLUMN": "ignore"})
    verdict = judged(new, by_feature)
    assert verdict.status is Status.BLESSED
    assert all(reason.subject != "altitude @ train" for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("current", "severity"), [((5200, 4800), None), ((6000, 4000), "warning"), ((6800, 3200), "error")]
)
def test_drift_passes_is_told_or_closes_by_its_size(current: tuple[int, int], severity: str | None) -> None:
    verdict = judged(replace(GOOD, distributions=(Distribution("distance", current, (4000, 6000)),)))
    reason = next(r for r in verdict.reasons if r.rule == "drift")
    assert (None if reason.outcome == "passed" else reason.severity) == severity


def test_bounds_for_single_features_flat_bounds_and_measures() -> None:
    moved = replace(GOOD, distributions=(Distribution("carrier", (6800, 3200), (3200, 6800), categories=True),))
    assert judged(moved, DataPolicy(drift=Drift(features={"carrier": Bounds(error=0.5, warning=0.2)}))).blessed
    assert judged(moved, DataPolicy(drift=Drift(measure="linf", error=0.3, warning=0.2))).status is Status.NOT_BLESSED
    assert judged(moved, DataPolicy(drift=Drift(measure="linf", error=0.4, warning=0.39))).blessed
    few = replace(GOOD, distributions=(Distribution("carrier", (12, 8), (8, 12), categories=True),))
    assert judged(few).blessed
    assert judged(few, DataPolicy(drift=Drift(error=0.02, warning=0.01, flat=True))).status is Status.NOT_BLESSED


def test_a_comparator_that_cannot_apply_is_an_error() -> None:
    number = replace(GOOD, distributions=(Distribution("distance", (5000, 5000), (5000, 5000)),))
    verdict = judged(number, DataPolicy(drift=Drift(measure="linf")))
    assert "distance is a number: use js" in closing(verdict)[0].sentence
    verdict = judged(number, DataPolicy(drift=Drift(features={"altitude": Bounds()})))
    assert "there is no such feature" in closing(verdict)[0].sentence


def test_rare_values_are_compared_as_one() -> None:
    """A thousand values seen once each, other ones in each sample: singly they look like a new world."""
    common, rare = (50_000, 49_000), 1000
    current, baseline = (*common, *[1] * rare, *[0] * rare), (*common, *[0] * rare, *[1] * rare)
    distribution = Distribution("tailnum", current, baseline, categories=True)
    assert judged(replace(GOOD, distributions=(distribution,))).blessed


@pytest.mark.parametrize(
    ("evidence", "policy", "rule"),
    [
        (replace(GOOD, duplicates=0.5), {}, "max_duplicates"),
        (replace(GOOD, shared=3), {}, "shared_rows"),
        (replace(GOOD, classes={"0": 9999, "1": 1}), {}, "min_class"),
        (replace(GOOD, held_out={"arr_delay": 0.999, "carrier": 0.6}), {}, "leakage"),
        (replace(GOOD, extents={"distance": Extent(-1, 5000)}), {"ranges": {"distance": {"at_least": 0}}}, "range"),
        (replace(GOOD, extents={"distance": Extent(0, 5000)}), {"ranges": {"distance": {"at_most": 4000}}}, "range"),
        (GOOD, {"ranges": {"distance": {"at_most": 4000}}}, "range"),
        (replace(GOOD, age={"when": 9.0}), {"freshness": {"column": "when", "days": 7}}, "freshness"),
        (replace(GOOD, age={"when": -1.0}), {"freshness": {"column": "when", "days": 7}}, "freshness"),
        (GOOD, {"freshness": {"column": "when", "days": 7}}, "freshness"),
    ],
)
def test_rules_beyond_the_schema(evidence: DataEvidence, policy: dict[str, object], rule: str) -> None:
    assert {reason.rule for reason in closing(judged(evidence, DataPolicy.model_validate(policy)))} == {rule}


def test_rules_beyond_the_schema_pass_on_good_data() -> None:
    good = replace(
        GOOD,
        duplicates=0.01,
        shared=0,
        classes={"0": 700, "1": 300},
        held_out={"carrier": 0.6},
        extents={"distance": Extent(0, 4000)},
        age={"when": 3.0},
    )
    policy = {"ranges": {"distance": {"at_least": 0, "at_most": 4000}}, "freshness": {"column": "when", "days": 7}}
    verdict = judged(good, DataPolicy.model_validate(policy))
    assert verdict.blessed
    assert {"range", "freshness", "leakage", "max_duplicates", "min_class", "shared_rows"} <= {
        reason.rule for reason in verdict.reasons
    }


def test_an_anomaly_type_that_tfdv_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="TFDV knows no SCHEMA_MISSING_COLUM"):
        DataPolicy(anomalies={"SCHEMA_MISSING_COLUM": "ignore"})


def test_associations_that_break_close_the_gate_and_noise_does_not() -> None:
    held = replace(GOOD, classes={"0": 6000, "1": 2000}, alone_before={"hour": 0.62, "carrier": 0.58})
    assert judged(replace(held, alone={"hour": 0.60, "carrier": 0.59})).blessed
    broken = judged(replace(held, alone={"hour": 0.50, "carrier": 0.55}))
    assert [(r.rule, r.subject) for r in closing(broken)] == [("association", "hour")]
    few = replace(held, classes={"0": 60, "1": 20}, alone={"hour": 0.50, "carrier": 0.50})
    assert judged(few).blessed


def test_a_leak_is_what_is_surely_above_the_bound_and_new() -> None:
    strong = replace(GOOD, classes={"0": 500, "1": 300}, held_out={"size": 0.96})
    assert [str(r.severity) for r in judged(strong).reasons if r.rule == "leakage" and r.outcome == "failed"] == [
        "warning"
    ]
    many = replace(strong, classes={"0": 50_000, "1": 30_000})
    assert [r.rule for r in closing(judged(many))] == ["leakage"]
    assert judged(replace(many, alone_before={"size": 0.959})).blessed  # the champion was trained on it
    assert [r.rule for r in closing(judged(replace(many, alone_before={"size": 0.6})))] == ["leakage"]


def test_rows_that_repeat_are_held_against_the_baselines() -> None:
    """Half of the rows repeat by nature; a file that was read twice has half of the distinct rows that are expected."""
    few_columns, distinct = Repetition(10_000, 5000, 3000), Repetition(10_000, 10_000, 10_000)
    larger = replace(GOOD, rows={"train": 16_000, "eval": 4000})
    assert [r.rule for r in closing(judged(replace(GOOD, duplicates=0.5)))] == ["max_duplicates"]
    assert judged(replace(GOOD, duplicates=0.52, repetition_before=few_columns)).blessed
    assert judged(replace(larger, duplicates=0.63, repetition_before=few_columns)).blessed
    for twice in (
        replace(larger, duplicates=0.75, repetition_before=few_columns),
        replace(larger, duplicates=0.5, repetition_before=distinct),
    ):
        assert [r.rule for r in closing(judged(twice))] == ["max_duplicates"]


@pytest.mark.parametrize(("kind", "severity"), sorted(SEVERITIES.items()))
def test_every_anomaly_type_has_its_severity(kind: str, severity: str) -> None:
    verdict = judged(replace(GOOD, anomalies=(Anomaly("distance", kind, "train", "told by TFDV"),)))
    found = [r for r in verdict.reasons if r.rule == "schema" and r.observed == kind]
    assert [str(r.severity) for r in found] == ([] if severity == "ignore" else [severity])
    assert verdict.blessed is (severity != "error")


counts = st.lists(st.integers(0, 5000), min_size=2, max_size=12).filter(lambda c: sum(c) > 0)


@given(counts)
def test_divergence_of_equals_is_zero_and_of_disjoint_is_one(c: list[int]) -> None:
    assert divergence(c, c) == pytest.approx(0, abs=1e-12)
    assert divergence([*c, *[0] * len(c)], [*[0] * len(c), *c]) == pytest.approx(1)


@given(counts, st.integers(0, 100))
def test_divergence_is_symmetric_bounded_and_blind_to_order(c: list[int], seed: int) -> None:
    other = np.random.default_rng(seed).permutation(c)
    there = float(divergence(c, other))
    assert 0 <= there <= 1
    assert there == pytest.approx(float(divergence(other, c)))
    order = np.random.default_rng(seed + 1).permutation(len(c))
    assert there == pytest.approx(float(divergence(np.asarray(c)[order], other[order])))


def test_two_samples_of_one_population_stay_below_the_floor() -> None:
    """At 1 in 100 for a feature, of 300 pairs about 3 rise above it."""
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.ones(20))
    above = 0
    for seed in range(300):
        one, two = random.multinomial(3000, shares), random.multinomial(8000, shares)
        above += float(divergence(one, two)) > noise_floor(one, two, quantile=0.99, resamples=200, seed=seed)
    assert above <= 10


def test_the_floor_falls_with_the_rows() -> None:
    few, many = ([n // 100 for n in c] for c in ((50_000, 30_000, 20_000), (50_000, 30_000, 20_000)))
    small = noise_floor(few, many, quantile=0.999, resamples=200, seed=0)
    large = noise_floor([c * 100 for c in few], [c * 100 for c in many], quantile=0.999, resamples=200, seed=0)
    assert small == pytest.approx(100 * large, rel=0.5)


def test_a_missing_label_is_told_as_such() -> None:
    """Not as "the label ''", and not as one that is constant."""
    served = judge(
        DataEvidence(rows={"train": 5000}, label="", label_values=2, features=("x",), missing={}),
        DataPolicy(), subjects={}, baseline=None,
    )  # fmt: skip
    assert not [reason for reason in served.reasons if reason.rule == "label"]
    absent = judge(
        DataEvidence(rows={"train": 5000}, label="late", label_values=0, features=("x",), missing={}),
        DataPolicy(), subjects={}, baseline=None,
    )  # fmt: skip
    (reason,) = (reason for reason in absent.reasons if reason.rule == "label")
    assert reason.outcome is Outcome.FAILED
    assert "it is not a column of the data, or has no value" in reason.sentence
