"""A metric that has no value on some rows leaves the model gate undecided, and says which rows are wanted."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.evaluation.evidence import Slices, gather
from sluice.evaluation.metrics import Rows
from sluice.gates.model.judge import judge
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.verdict import Outcome, Reason, Status

RANDOM = np.random.default_rng(0)


def judged(
    label: np.ndarray, rule: dict[str, object], *, one_class: int = 0, scale: float = 1.0, **policy_fields: object
) -> dict[str, Reason]:
    """Verdict's reasons by subject; the first rows are the slice ``k=1``, the others ``k=2``."""
    noise = RANDOM.random(len(label))
    rows = Rows(label, (scale * (0.6 * label + 0.4 * noise)).clip(0.01, 0.99))
    index = np.arange(len(label))
    slices = Slices({"": index}, {})
    if one_class:
        slices = Slices({"": index, "k=1": index[:one_class], "k=2": index[one_class:]}, {("k",): ("k=1", "k=2")})
    policy = ModelPolicy.model_validate({"rules": [rule], "resamples": 200, "min_slice_rows": 10, **policy_fields})
    verdict = judge(gather({"challenger": rows}, slices, policy, "binary", champion=None), policy, subjects={})
    assert verdict.status is Status.INCONCLUSIVE
    return {reason.subject: reason for reason in verdict.reasons if reason.rule != "bootstrap"}


def labels(rows: int, share: float, zeros: int = 0) -> np.ndarray:
    return np.concatenate([np.zeros(zeros), (np.arange(rows) < share * rows).astype(np.float64)])


@pytest.mark.parametrize("metric", ["auc", "average_precision", "recall"])
def test_one_class_only(metric: str) -> None:
    reasons = judged(np.zeros(300), {"metric": metric, "at_least": 0.6})
    assert "a constant is never wrong: rows with another one are wanted" in reasons["log_loss"].sentence
    reason = reasons[metric]
    assert reason.outcome is Outcome.INCONCLUSIVE
    assert reason.sentence.startswith(
        f"{metric} has no value on these 300 rows: all have the label 0; at least 300 more rows"
    )


def test_one_class_in_a_slice_says_how_many_rows_would_hold_another() -> None:
    rule = {"metric": "auc", "at_least": 0.6, "slices": [["k"]]}
    reasons = judged(labels(400, 0.5, zeros=100), rule, one_class=100)
    assert reasons["auc @ k=2"].outcome is Outcome.PASSED
    assert reasons["auc @ k=1"].outcome is Outcome.INCONCLUSIVE
    # 200 of 500 rows have the label 1: 1 - 0.6 ** 6 > 0.95.
    assert "all have the label 0; about 6 more rows of this slice" in reasons["auc @ k=1"].sentence


def test_precision_without_a_positive_answer() -> None:
    reason = judged(labels(400, 0.5), {"metric": "precision", "at_least": 0.6}, scale=0.4)["precision"]
    assert "no row is answered with the positive class" in reason.sentence


def test_a_gap_is_unknown_where_a_slice_has_no_value() -> None:
    rule = {"metric": "auc", "max_gap": 0.5, "slices": [["k"]]}
    reasons = judged(labels(400, 0.5, zeros=100), rule, one_class=100)
    assert reasons["auc @ k"].outcome is Outcome.INCONCLUSIVE
    assert reasons["auc @ k"].sentence.startswith("auc @ k=1 has no value on these 100 rows")


def test_a_single_row_of_a_class_decides_nothing() -> None:
    reason = judged(labels(300, 1 / 300), {"metric": "auc", "at_least": 0.6}, floor="off")["auc"]
    assert reason.outcome is Outcome.INCONCLUSIVE
    assert "too few rows have one of the labels: at least 300 more evaluation rows are wanted" in reason.sentence
