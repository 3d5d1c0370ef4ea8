"""The law of the model gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sluice.gates.model.evidence import OVERALL, Measured, ModelEvidence, SeenRows, SliceEvidence
from sluice.gates.model.judge import judge
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.verdict import Outcome, Reason, Status, Verdict

NOISE = np.random.default_rng(0).standard_normal(1000)


def measured(value: float, spread: float = 0.005, common: float = 0.0) -> Measured:
    return Measured(value, value + spread * NOISE + common * NOISE[::-1])


def evidence(
    auc: float = 0.75, champion: float | None = 0.74, *, log_loss: float = 0.48, spread: float = 0.001, rows: int = 10_000,
    slices: dict[str, SliceEvidence] | None = None, identical: bool = False,
) -> ModelEvidence:  # fmt: skip
    """All rows: metrics with a paired noise of `spread` in the difference to the champion."""
    theirs = (
        {"auc": Measured(champion, np.full(1000, champion)), "log_loss": Measured(0.48, np.full(1000, 0.48))}
        if champion
        else {}
    )
    every = SliceEvidence(
        rows, {"auc": measured(auc, spread), "log_loss": measured(log_loss, spread)}, theirs,
        {"auc": Measured(0.5, np.full(1000, 0.5)), "log_loss": Measured(0.546, np.full(1000, 0.546))},
    )  # fmt: skip
    pieces = {OVERALL: every, **(slices or {})}
    groups = {("carrier",): tuple(slices)} if slices else {}
    return ModelEvidence("binary", pieces, groups, 3 if champion else None, identical)


def judged(given: ModelEvidence, *rules: dict[str, object], **policy: object) -> Verdict:
    made = ModelPolicy.model_validate({"rules": rules or [{"metric": "auc", "at_least": 0.65}], **policy})
    return judge(given, made, subjects={"model": "sha256:0"})


def closing(verdict: Verdict) -> list[Reason]:
    return [reason for reason in verdict.reasons if reason.closes]


NON_INFERIOR = {"metric": "auc", "non_inferior_by": 0.01}


@pytest.mark.parametrize(
    ("auc", "spread", "outcome"),
    [(0.75, 0.001, "passed"), (0.72, 0.001, "failed"), (0.731, 0.004, "inconclusive"), (0.735, 0.001, "passed")],
)
def test_non_inferiority(auc: float, spread: float, outcome: str) -> None:
    reason = next(
        r for r in judged(evidence(auc, 0.74, spread=spread), NON_INFERIOR).reasons if r.rule == "non_inferior_by"
    )
    assert reason.outcome == outcome
    assert reason.interval is not None
    assert reason.interval[0] <= auc - 0.74 <= reason.interval[1]


def test_superiority_needs_more_than_equality() -> None:
    rule = {"metric": "auc", "superior_by": 0.0}
    assert judged(evidence(0.75, 0.74), rule).blessed
    assert judged(evidence(0.7405, 0.74), rule).status is Status.INCONCLUSIVE
    assert judged(evidence(0.73, 0.74), rule).status is Status.NOT_BLESSED


def test_what_noise_leaves_undecided_says_how_many_rows_would_settle_it() -> None:
    reason = closing(judged(evidence(0.731, 0.74, spread=0.004), NON_INFERIOR))[0]
    assert "more evaluation rows would settle it" in reason.sentence


def test_a_lower_loss_is_better() -> None:
    rule = {"metric": "log_loss", "non_inferior_by": 0.01}
    assert judged(evidence(log_loss=0.40), rule).blessed
    assert judged(evidence(log_loss=0.50), rule).status is Status.NOT_BLESSED


def test_relative_margins() -> None:
    rule = {"metric": "auc", "non_inferior_by": 0.02, "relative": True}
    assert judged(evidence(0.73, 0.74), rule).blessed
    assert judged(evidence(0.72, 0.74), rule).status is Status.NOT_BLESSED


def test_the_same_bytes_are_nothing_to_push() -> None:
    verdict = judged(evidence(identical=True), NON_INFERIOR)
    assert verdict.status is Status.NOT_BLESSED
    assert closing(verdict)[0].rule == "identical"


@pytest.mark.parametrize(
    ("bootstrap", "status"),
    [("allow", Status.BLESSED), ("require_approval", Status.INCONCLUSIVE), ("forbid", Status.NOT_BLESSED)],
)
def test_a_first_model_meets_what_the_policy_says(bootstrap: str, status: Status) -> None:
    verdict = judged(evidence(champion=None), NON_INFERIOR, bootstrap=bootstrap)
    assert (verdict.status, verdict.bootstrap, verdict.baseline) == (status, True, None)


def test_a_model_no_better_than_the_best_constant_is_refused() -> None:
    assert {r.rule for r in closing(judged(evidence(log_loss=0.56)))} == {"floor"}
    assert judged(evidence(log_loss=0.56), floor="off").blessed


def test_a_bound_that_the_best_constant_meets_is_refused() -> None:
    verdict = judged(evidence(), {"metric": "log_loss", "at_most": 0.6})
    assert {r.rule for r in closing(verdict)} == {"vacuous_bound"}


def test_a_metric_of_another_task_is_named() -> None:
    reason = closing(judged(evidence(), {"metric": "rmse", "at_most": 1.0}))[0]
    assert "rmse is not a metric of a binary task; known: auc" in reason.sentence


def test_a_metric_that_is_not_a_number_is_refused() -> None:
    given = evidence()
    given.slices[OVERALL].challenger["auc"] = Measured(float("nan"), np.full(1000, np.nan))
    assert {r.rule for r in closing(judged(given))} == {"at_least"}


def piece(auc: float, champion: float, rows: int) -> SliceEvidence:
    return SliceEvidence(
        rows,
        {"auc": measured(auc, 0.002)},
        {"auc": Measured(champion, np.full(1000, champion))},
        {"auc": Measured(0.5, np.full(1000, 0.5))},
    )


def test_a_slice_that_is_harmed_closes_the_gate_and_is_named() -> None:
    slices = {"carrier=AA": piece(0.60, 0.70, 900), "carrier=B6": piece(0.75, 0.70, 900)}
    verdict = judged(evidence(slices=slices), {**NON_INFERIOR, "slices": [["carrier"]]})
    assert [r.subject for r in closing(verdict)] == ["auc @ carrier=AA"]


def test_a_slice_under_the_minimum_is_inconclusive_and_may_only_warn() -> None:
    slices = {"carrier=AA": piece(0.60, 0.70, 50)}
    rule = {**NON_INFERIOR, "slices": [["carrier"]]}
    verdict = judged(evidence(slices=slices), rule)
    assert verdict.status is Status.INCONCLUSIVE
    assert "150 more would settle it" in closing(verdict)[0].sentence
    assert judged(evidence(slices=slices), {**rule, "when_inconclusive": "warn"}).blessed


def test_point_estimates_decide_in_point_mode() -> None:
    assert judged(evidence(0.731, 0.74, spread=0.004), NON_INFERIOR, uncertainty="point").blessed


@given(st.floats(0.51, 0.99), st.floats(0, 0.2), st.floats(0.51, 0.95))
def test_a_better_metric_never_turns_a_pass_into_less(auc: float, better: float, champion: float) -> None:
    rank = {Outcome.FAILED: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASSED: 2}

    def outcome(value: float) -> int:
        verdict = judged(evidence(value, champion, spread=0.003), NON_INFERIOR)
        return rank[next(r.outcome for r in verdict.reasons if r.rule == "non_inferior_by")]

    assert outcome(auc + better) >= outcome(auc)


@pytest.mark.parametrize(("value", "status"), [(0.65, Status.BLESSED), (0.6499999, Status.NOT_BLESSED)])
def test_bounds_are_inclusive(value: float, status: Status) -> None:
    assert judged(evidence(value), uncertainty="point").status is status


@pytest.mark.parametrize(
    "policy",
    [
        {"rules": []},
        {"rules": [{"metric": "auc", "at_least": 0.5, "at_most": 0.9}]},
        {"rules": [{"metric": "auc", "non_inferior_by": -0.1}]},
        {"rules": [{"metric": "auc", "at_least": 0.6, "relative": True}]},
        {"rules": [{"metric": "auc", "at_least": 0.6}], "confidence": 1.5},
        {"rules": [{"metric": "auc", "at_least": 0.6}], "flor": "off"},
    ],
)
def test_a_policy_that_cannot_mean_anything_is_refused(policy: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModelPolicy.model_validate(policy)


@pytest.mark.parametrize(
    ("trained_on", "bound", "status", "sentence"),
    [
        (0, 0.01, Status.BLESSED, "was trained on 0 of the 10,000 evaluation rows (0.00%); at most 1.00% are allowed"),
        (100, 0.01, Status.BLESSED, "was trained on 100 of the 10,000 evaluation rows (1.00%)"),
        (101, 0.01, Status.INCONCLUSIVE, "was trained on 101 of the 10,000 evaluation rows (1.01%), and at most 1.00% are allowed"),
        (101, 0.02, Status.BLESSED, "(1.01%); at most 2.00%"),
        (1, 0.0, Status.INCONCLUSIVE, "and at most 0.00% are allowed"),
        (None, 0.01, Status.BLESSED, "of the 10,000 evaluation rows the champion, version 3, was trained on is unknown: old"),
    ],
)  # fmt: skip
def test_the_champion_has_not_seen_the_rows(
    trained_on: int | None, bound: float, status: Status, sentence: str
) -> None:
    seen = SeenRows(10_000, trained_on, "" if trained_on is not None else "old", "by hash", None)
    verdict = judged(replace(evidence(), seen=seen), NON_INFERIOR, max_seen_by_champion=bound)
    (reason,) = [reason for reason in verdict.reasons if reason.rule == "unseen"]
    assert sentence in reason.sentence
    assert verdict.status is status
    assert reason.closes is (status is Status.INCONCLUSIVE)
    assert verdict.evidence["comparison"] == {
        "champion": 3, "rows": 10_000, "champion_trained_on": trained_on, "split": "by hash", "champion_split": None,
    }  # fmt: skip
    if trained_on is None:
        assert (reason.severity, reason.outcome) == ("warning", Outcome.INCONCLUSIVE)


def test_a_comparison_on_rows_that_the_champion_knows_is_undecided_not_lost() -> None:
    """Half of a swapped split: the champion is better on the rows that it was trained on."""
    worse = evidence(0.72, 0.74)
    assert judged(worse, NON_INFERIOR).status is Status.NOT_BLESSED
    verdict = judged(replace(worse, seen=SeenRows(10_000, 5_000)), NON_INFERIOR)
    assert verdict.status is Status.INCONCLUSIVE
    assert {reason.rule for reason in closing(verdict)} == {"non_inferior_by", "unseen"}
    bad = judged(
        replace(evidence(0.6, 0.74), seen=SeenRows(10_000, 5_000)), NON_INFERIOR, {"metric": "auc", "at_least": 0.65}
    )
    assert bad.status is Status.NOT_BLESSED, "what does not rest on the champion stays as it is"


def test_what_the_champion_has_seen_counts_where_a_rule_compares() -> None:
    verdict = judged(replace(evidence(), seen=SeenRows(10_000, 5_000)))
    assert verdict.blessed
    assert [reason.severity for reason in verdict.reasons if reason.rule == "unseen"] == ["warning"]
    first = judged(replace(evidence(champion=None), seen=SeenRows(10_000, None)))
    assert not [reason for reason in first.reasons if reason.rule == "unseen"]
    assert "comparison" not in first.evidence


def test_no_two_slices_have_one_name() -> None:
    from sluice.gates.model.evidence import slice_name

    assert slice_name((("carrier", "AA"), ("distance", "(500, 1000]"))) == "carrier=AA, distance=(500, 1000]"
    assert slice_name((("x=y, z", "1"),)) == '"x=y, z"=1'
    keys: list[tuple[tuple[str, str], ...]] = [
        (("a", "1, b=2"),), (("a", "1"), ("b", "2")), (("a=1, b", "2"),), (("a", "1"), ("x, b", "2")), (("a", "1, x"), ("b", "2")),
    ]  # fmt: skip
    assert len({slice_name(key) for key in keys}) == len(keys)
