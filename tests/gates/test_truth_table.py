"""TFX's gates and ours, case by case: what TFX and TFMA wave through, drop or call by another name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from sluice.gates.data.drift import divergence
from sluice.gates.data.evidence import Anomaly, DataEvidence, Distribution
from sluice.gates.data.judge import judge as judge_data
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.evidence import OVERALL, Measured, ModelEvidence, SliceEvidence
from sluice.gates.model.judge import judge as judge_model
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.verdict import Mode, Status, Verdict

NOISE = np.random.default_rng(0).standard_normal(1000)
DATA = DataEvidence(
    rows={"train": 9000, "eval": 3000}, label="late", label_values=2, features=("x",), missing={"x": 0.0}
)


def data(evidence: DataEvidence, **policy: object) -> Verdict:
    return judge_data(evidence, DataPolicy.model_validate(policy), subjects={}, baseline=None)


def measured(value: float, spread: float = 0.0005) -> Measured:
    return Measured(value, value + spread * NOISE)


def model(
    *rules: dict[str, object], auc: float = 0.75, accuracy: float = 0.83, champion: float | None = None, spread: float = 0.0005,
    small: float | None = None, identical: bool = False, **policy: object,
) -> Verdict:  # fmt: skip
    """The taxi example's shape: "always no" has an accuracy of 0.775."""
    mine = {"auc": measured(auc, spread), "accuracy": measured(accuracy, spread), "log_loss": measured(0.45, spread)}
    theirs = (
        {"auc": measured(champion, 0), "accuracy": measured(champion, 0), "log_loss": measured(0.46, 0)}
        if champion is not None
        else {}
    )
    trivial = {"auc": measured(0.5, 0), "accuracy": measured(0.775, 0), "log_loss": measured(0.533, 0)}
    slices = {OVERALL: SliceEvidence(10_000, mine, theirs, trivial)}
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    if small is not None:
        slices["city=A"] = SliceEvidence(20, {**mine, "auc": measured(small)}, theirs, trivial)
        groups = {("city",): ("city=A",)}
    evidence = ModelEvidence("binary", slices, groups, 1 if champion is not None else None, identical)
    return judge_model(evidence, ModelPolicy.model_validate({"rules": rules, **policy}), subjects={})


def said(verdict: Verdict, rule: str) -> str:
    return next(reason.sentence for reason in verdict.reasons if reason.rule == rule)


def anomalies() -> None:
    """TFX writes anomalies down and stops nothing; here they make a verdict, and the mode says what it does."""
    verdict = data(replace(DATA, anomalies=(Anomaly("x", "FEATURE_TYPE_NOT_PRESENT", "train", "x is not there"),)))
    assert verdict.status is Status.NOT_BLESSED
    assert [DataPolicy.model_validate({"mode": mode}).mode for mode in ("report", "block", "fail")] == list(Mode)


def drift_in_one_call() -> None:
    """ExampleValidator never passes drift, skew and environments on; here drift is judged with the schema, in one call."""
    both = replace(
        DATA,
        anomalies=(Anomaly("y", "SCHEMA_MISSING_COLUMN", "train", "gone"),),
        distributions=(Distribution("x", (9000, 0), (0, 9000)),),
    )
    assert {reason.rule for reason in data(both).reasons if reason.closes} == {"schema", "drift"}


def calibrated_threshold() -> None:
    """A flat threshold calls noise a drift on few rows and misses a drift on many; here noise sets the floor."""
    random = np.random.default_rng(3)
    few = Distribution("x", *(tuple(random.multinomial(60, np.full(20, 0.05))) for _ in range(2)))
    assert divergence(few.current, few.baseline) > 0.06
    assert all(reason.outcome == "passed" for reason in data(replace(DATA, distributions=(few,))).reasons)
    many = Distribution("x", tuple(np.linspace(990, 10, 20).astype(int) * 50), tuple(np.full(20, 500) * 50))
    assert any(r.rule == "drift" and r.outcome == "failed" for r in data(replace(DATA, distributions=(many,))).reasons)


def no_infinity_norm_on_a_number() -> None:
    """TFDV's infinity norm of a number is always 0; there is no such choice here: it is an error."""
    with pytest.raises(ValidationError):
        DataPolicy.model_validate({"drift": {"infinity_norm": 0.1}})


def vanished_feature() -> None:
    """TFDV raises no drift for a feature that vanished; here it is named and closes the gate."""
    verdict = data(
        replace(DATA, anomalies=(Anomaly("x", "SCHEMA_MISSING_COLUMN", "train", "the column is not in the data"),))
    )
    assert verdict.status is Status.NOT_BLESSED
    assert "x in train" in said(verdict, "schema")


def value_threshold_without_baseline() -> None:
    """TFX blesses silently; here `bootstrap` says that nothing was compared."""
    verdict = model({"metric": "auc", "at_least": 0.7}, {"metric": "auc", "non_inferior_by": 0.01})
    assert (verdict.status, verdict.bootstrap, verdict.baseline) == (Status.BLESSED, True, None)
    assert model({"metric": "auc", "at_least": 0.7}, bootstrap="forbid").status is Status.NOT_BLESSED


def change_threshold_only_without_baseline() -> None:
    """TFMA gives no verdict and TFX never pushes; here the policy's bootstrap rule decides."""
    rule = {"metric": "auc", "non_inferior_by": 0.01}
    assert [model(rule, bootstrap=b).status for b in ("allow", "require_approval", "forbid")] == [
        Status.BLESSED, Status.INCONCLUSIVE, Status.NOT_BLESSED,
    ]  # fmt: skip


def no_thresholds() -> None:
    """TFMA gives no verdict; here it is an error before the run, in our words and in TFMA's own EvalConfig."""
    with pytest.raises(ValidationError):
        ModelPolicy.model_validate({"rules": []})
    config = {"modelSpecs": [{"labelKey": "late"}], "metricsSpecs": [{"metrics": [{"className": "AUC"}]}]}
    with pytest.raises(ValidationError, match="holds no threshold"):
        ModelPolicy.model_validate({"eval_config": config})


def threshold_below_the_majority_class() -> None:
    """The taxi example asks for an accuracy of 0.6 where "always no" has 0.775: TFX blesses, here it is refused."""
    verdict = model({"metric": "accuracy", "at_least": 0.6})
    assert verdict.status is Status.NOT_BLESSED
    assert "a model no better than the trivial one would meet it" in said(verdict, "vacuous_bound")
    config = {
        "metricsSpecs": [
            {"metrics": [{"className": "BinaryAccuracy", "threshold": {"valueThreshold": {"lowerBound": 0.6}}}]}
        ]
    }
    policy = ModelPolicy.model_validate({"eval_config": config})
    assert (policy.rules[0].at_least, policy.uncertainty) == (0.6, "point")


def small_slice() -> None:
    """TFMA says "metric not found" and does not bless; here the slice is INCONCLUSIVE, or a warning if the policy says so."""
    rule = {"metric": "auc", "at_least": 0.6, "slices": [["city"]]}
    verdict = model(rule, small=0.4)
    assert verdict.status is Status.INCONCLUSIVE
    assert "city=A has 20 rows" in said(verdict, "at_least")
    assert model({**rule, "when_inconclusive": "warn"}, small=0.4).blessed


def relative_change() -> None:
    """TFMA divides by the baseline (its documentation says otherwise) and fails at 0; here the formula is documented."""
    rule = {"metric": "auc", "non_inferior_by": 0.02, "relative": True}
    assert model(rule, auc=0.737, champion=0.75).blessed
    assert model(rule, auc=0.73, champion=0.75).status is Status.NOT_BLESSED
    assert "use an absolute margin" in said(model(rule, champion=0.0), "non_inferior_by")


def within_noise_of_the_baseline() -> None:
    """TFMA's point estimate decides; here the interval of paired resamples does, against a margin."""
    rule = {"metric": "auc", "non_inferior_by": 0.005}
    assert model(rule, auc=0.746, champion=0.75, spread=0.004).status is Status.INCONCLUSIVE
    assert model(rule, auc=0.746, champion=0.75, spread=0.004, uncertainty="point").blessed
    assert model(rule, auc=0.746, champion=0.75, spread=0.0001).blessed


def metric_not_a_number() -> None:
    """TFMA refuses; here the gate is as closed, and the verdict says that the rows are what is wanting."""
    verdict = model({"metric": "auc", "at_least": 0.6}, auc=float("nan"))
    assert verdict.status is Status.INCONCLUSIVE
    assert "auc has no value on these 10,000 rows" in said(verdict, "at_least")


def same_model_twice() -> None:
    """TFX blesses it with slack; here the same digest is nothing to push."""
    verdict = model({"metric": "auc", "non_inferior_by": 0.01}, champion=0.75, identical=True)
    assert verdict.status is Status.NOT_BLESSED
    assert "nothing to push" in said(verdict, "identical")


ROWS = [
    anomalies, drift_in_one_call, calibrated_threshold, no_infinity_norm_on_a_number, vanished_feature,
    value_threshold_without_baseline, change_threshold_only_without_baseline, no_thresholds, threshold_below_the_majority_class,
    small_slice, relative_change, within_noise_of_the_baseline, metric_not_a_number, same_model_twice,
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_row(row: Callable[[], None]) -> None:
    """Two further rows, a pusher without blessings and two pushes at once, are in tests/e2e and tests/promotion."""
    row()


def test_an_eval_config_becomes_the_same_rules() -> None:
    """Value and change thresholds, directions, per-slice thresholds, camel and snake case."""
    config = {
        "model_specs": [{"label_key": "late"}],
        "slicing_specs": [{}, {"feature_keys": ["carrier"]}],
        "metrics_specs": [{"metrics": [
            {"class_name": "ExampleCount"},
            {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.7},
                "change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": -0.01}}},
            {"class_name": "BinaryCrossEntropy", "threshold": {"change_threshold": {"direction": "LOWER_IS_BETTER", "relative": 0.02}}},
            {"class_name": "Precision", "per_slice_thresholds": [{"slicing_specs": [{"feature_keys": ["carrier"]}],
                "threshold": {"value_threshold": {"lower_bound": 0.3}}}]},
        ], "thresholds": {"auc": {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": 0.001}}}}],
    }  # fmt: skip
    policy = ModelPolicy.model_validate({"eval_config": config, "mode": "fail"})
    assert policy.mode is Mode.FAIL
    assert policy.slices == (("carrier",),)
    told = [(r.metric, r.name, getattr(r, r.name), r.relative, r.slices) for r in policy.rules]
    assert told == [
        ("auc", "at_least", 0.7, False, ()), ("auc", "non_inferior_by", 0.01, False, ()), ("auc", "superior_by", 0.001, False, ()),
        ("log_loss", "non_inferior_by", 0.02, True, ()), ("precision", "at_least", 0.3, False, (("carrier",),)),
    ]  # fmt: skip
    unknown = {
        "metricsSpecs": [{"metrics": [{"className": "Mystery", "threshold": {"valueThreshold": {"lowerBound": 0.5}}}]}]
    }
    with pytest.raises(ValidationError, match="no rule can be put on TFMA's Mystery"):
        ModelPolicy.model_validate({"eval_config": unknown})


def test_fairness_gap() -> None:
    """The gap between the best and the worst slice, with its interval."""

    def pieces(low: float) -> ModelEvidence:
        trivial = {"auc": measured(0.5, 0), "log_loss": measured(0.533, 0)}
        slices = {
            name: SliceEvidence(5000, {"auc": measured(auc), "log_loss": measured(0.45)}, {}, trivial)
            for name, auc in ((OVERALL, 0.75), ("sex=a", low), ("sex=b", 0.76))
        }
        return ModelEvidence("binary", slices, {("sex",): ("sex=a", "sex=b")})

    policy = ModelPolicy.model_validate({"rules": [{"metric": "auc", "max_gap": 0.05, "slices": [["sex"]]}]})
    assert judge_model(pieces(0.74), policy, subjects={}).blessed
    refused = judge_model(pieces(0.68), policy, subjects={})
    assert refused.status is Status.NOT_BLESSED
    assert "runs from 0.6800 (sex=a) to 0.7600 (sex=b)" in said(refused, "max_gap")
    with pytest.raises(ValidationError, match="max_gap compares slices"):
        ModelPolicy.model_validate({"rules": [{"metric": "auc", "max_gap": 0.05}]})


def test_many_slices_do_not_fail_by_chance() -> None:
    """Of 40 slices of a good model one looks bad by chance: undecided under Holm, where alone it would have failed."""
    trivial = {"auc": measured(0.5, 0), "log_loss": measured(0.533, 0)}
    unlucky = Measured(0.68, 0.68 + 0.008 * NOISE)
    slices = {OVERALL: SliceEvidence(9000, {"auc": measured(0.75), "log_loss": measured(0.45)}, {}, trivial)}
    slices |= {
        f"k={i}": SliceEvidence(300, {"auc": measured(0.75), "log_loss": measured(0.45)}, {}, trivial)
        for i in range(39)
    }
    slices["k=39"] = SliceEvidence(300, {"auc": unlucky, "log_loss": measured(0.45)}, {}, trivial)
    rule = {"metric": "auc", "at_least": 0.7, "slices": [["k"]]}
    policy = ModelPolicy.model_validate({"rules": [rule]})
    many = ModelEvidence("binary", slices, {("k",): tuple(name for name in slices if name)})
    assert judge_model(many, policy, subjects={}).status is Status.INCONCLUSIVE
    alone = ModelEvidence("binary", {OVERALL: slices[OVERALL], "k=39": slices["k=39"]}, {("k",): ("k=39",)})
    assert judge_model(alone, policy, subjects={}).status is Status.NOT_BLESSED


def test_the_order_of_slices_changes_nothing() -> None:
    trivial = {"auc": measured(0.5, 0), "log_loss": measured(0.533, 0)}
    held = {name: SliceEvidence(3000, {"auc": measured(auc), "log_loss": measured(0.45)}, {}, trivial)
            for name, auc in ((OVERALL, 0.75), ("k=1", 0.69), ("k=2", 0.8), ("k=3", 0.7))}  # fmt: skip
    policy = ModelPolicy.model_validate({"rules": [{"metric": "auc", "at_least": 0.7, "slices": [["k"]]}]})
    names = ("k=1", "k=2", "k=3")
    one = judge_model(ModelEvidence("binary", held, {("k",): names}), policy, subjects={})
    two = judge_model(ModelEvidence("binary", dict(reversed(held.items())), {("k",): names[::-1]}), policy, subjects={})
    assert one.to_bytes() == two.to_bytes()
