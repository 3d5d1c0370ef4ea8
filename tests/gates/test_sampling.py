"""What chance explains between two samples, and that the rule `schema` allows for it and for no more."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from sluice.gates.data.evidence import Anomaly, DataEvidence, Presence, UnseenValues
from sluice.gates.data.judge import judge
from sluice.gates.data.policy import DataPolicy
from sluice.gates.data.sampling import drop_in_presence, unseen_rows
from sluice.gates.verdict import Outcome, Reason

GOOD = DataEvidence(rows={"train": 8000}, label="late", label_values=2, features=("carrier",), missing={"carrier": 0.0})
CARRIER = UnseenValues("carrier", "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "train", 0, 1000, 1000, ((1000, 2),), 0.01)
HERE = Presence("carrier", "FEATURE_TYPE_LOW_FRACTION_PRESENT", "train", 950, 1000, 990, 1000, 0.05)


def reasons(evidence: DataEvidence, **policy: object) -> list[Reason]:
    made = judge(evidence, DataPolicy.model_validate(policy), subjects={}, baseline=None)
    return [reason for reason in made.reasons if reason.rule == "schema"]


@pytest.mark.parametrize(("baseline_rows", "rows"), [(6000, 1500), (800, 800), (130, 33), (500, 20_000)])
def test_unseen_rows_of_one_population_exceed_the_bound_no_more_often_than_stated(
    baseline_rows: int, rows: int
) -> None:
    """A population of many rare values, where every pair of samples has unseen ones: 5 % of 400 draws and 3 sigma."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, 151) ** 1.5
    shares /= shares.sum()
    above, unseen = 0, 0
    for _ in range(400):
        then, now = random.multinomial(baseline_rows, shares), random.multinomial(rows, shares)
        pooled = Counter(int(count) for count in then + now if count)
        beyond = int(now[then == 0].sum())
        unseen += beyond > 0
        above += beyond > unseen_rows(pooled.items(), rows, baseline_rows, 0.05)
    assert unseen > 200
    assert above <= 400 * 0.05 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_a_value_of_many_rows_is_not_explained_by_chance() -> None:
    """Half of the pool goes to each sample: that 30 rows all go to one has a chance of 2 ** -30."""
    assert unseen_rows([(1000, 2), (30, 1)], 1000, 1000, 1e-4) < 20
    assert (
        unseen_rows([(1000, 2), (1, 400)], 1000, 1000, 1e-4) > 200
    )  # 400 values of one row: half of them are expected


def test_the_drop_is_that_of_the_hypergeometric_distribution() -> None:
    """Against sums of exact terms."""
    for present, rows, then, baseline_rows in ((30, 33, 131, 133), (5, 40, 0, 60), (40, 40, 60, 60), (0, 20, 19, 20)):
        held, total, alpha = present + then, rows + baseline_rows, 0.001
        below = 0.0
        for fewest in range(max(0, held - baseline_rows), min(rows, held) + 1):
            terms = math.comb(held, fewest) * math.comb(total - held, rows - fewest)
            below += terms / math.comb(total, rows)
            if below > alpha:
                break
        expected = max(0.0, (held - fewest) / baseline_rows - fewest / rows)
        assert drop_in_presence(present, rows, then, baseline_rows, alpha) == pytest.approx(expected)


def test_the_drop_narrows_with_the_rows() -> None:
    drops = [drop_in_presence(9 * n, 10 * n, 9 * n, 10 * n, 1e-5) for n in (10, 100, 1000, 1_000_000)]
    assert drops == sorted(drops, reverse=True)
    assert drops[-1] < 0.001


def test_unseen_values_pass_within_chance_and_close_the_gate_beyond() -> None:
    few = replace(CARRIER, unseen=20, pooled=((1, 40), (1000, 2)), values=("ZZ",))
    assert [r.outcome for r in reasons(replace(GOOD, unseen=(few,)))] == [Outcome.PASSED]
    assert "2.00% of the values are not in the schema (ZZ)" in reasons(replace(GOOD, unseen=(few,)))[0].sentence
    many = replace(CARRIER, unseen=30, pooled=((30, 1), (1000, 2)))
    found = reasons(replace(GOOD, unseen=(many,)))
    assert [(r.outcome, r.subject) for r in found] == [(Outcome.FAILED, "carrier @ train")]
    within = replace(CARRIER, unseen=10, pooled=((10, 1), (1000, 2)))  # the tolerance of 1 % holds beside chance
    assert [r.outcome for r in reasons(replace(GOOD, unseen=(within,)))] == [Outcome.PASSED]


def test_a_fall_of_the_fraction_present_passes_within_chance_and_closes_the_gate_beyond() -> None:
    assert [r.sentence for r in reasons(replace(GOOD, presence=(HERE,)))] == ["nothing departs from the schema"]
    noise = replace(HERE, present=30, rows=33, baseline_present=131, baseline_rows=133)
    assert [r.outcome for r in reasons(replace(GOOD, presence=(noise,)))] == [Outcome.PASSED]
    lost = replace(HERE, present=850)
    assert [(r.outcome, r.subject) for r in reasons(replace(GOOD, presence=(lost,)))] == [
        (Outcome.FAILED, "carrier @ train")
    ]


@pytest.mark.parametrize(
    ("evidence", "kind", "instead"),
    [
        (replace(GOOD, unseen=(replace(CARRIER, unseen=500, pooled=((500, 1),)),)), CARRIER.kind, "warning"),
        (replace(GOOD, presence=(replace(HERE, present=10),)), HERE.kind, "warning"),
        (replace(GOOD, anomalies=(Anomaly("carrier", "UNEXPECTED_DATA_TYPE", "train", "Expected INT."),)), "UNEXPECTED_DATA_TYPE", "warning"),
        (replace(GOOD, anomalies=(Anomaly("carrier", "SCHEMA_NEW_COLUMN", "train", "New column"),)), "SCHEMA_NEW_COLUMN", "ignore"),
    ],
)  # fmt: skip
def test_a_sentence_names_the_type_and_the_line_that_allows_it(evidence: DataEvidence, kind: str, instead: str) -> None:
    """And the line does what the sentence says."""
    (reason,) = reasons(evidence)
    assert f'({kind}); to allow it: policies.data.anomalies: {{"carrier:{kind}": {instead}}}' in reason.sentence
    allowed = judge(evidence, DataPolicy(anomalies={f"carrier:{kind}": instead}), subjects={}, baseline=None)  # type: ignore[dict-item]
    assert allowed.blessed
    assert [r for r in allowed.reasons if r.outcome is Outcome.FAILED and r.severity == "error"] == []
    assert (reasons(evidence, anomalies={kind: "ignore"})[0].outcome) is Outcome.PASSED


def test_the_bound_is_corrected_over_columns() -> None:
    """What one column alone may not, one of many may."""
    edge = replace(CARRIER, unseen=34, pooled=((1, 34), (1000, 2)))
    alone = reasons(replace(GOOD, unseen=(edge,)))[0]
    among = reasons(replace(GOOD, unseen=(edge, *[CARRIER] * 199)))[0]
    assert isinstance(alone.bound, float)
    assert isinstance(among.bound, float)
    assert among.bound > alone.bound
