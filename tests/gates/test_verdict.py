"""The law of verdicts: status follows from reasons, bytes are stable, edits are noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.gates.policy import Policy
from sluice.gates.verdict import VERDICT_FILE, Outcome, Reason, Severity, Status, Verdict, decide, verdict

reasons = st.builds(
    Reason,
    rule=st.sampled_from(["drift", "floor", "schema"]),
    subject=st.sampled_from(["auc", "carrier", "dest"]),
    outcome=st.sampled_from(Outcome),
    severity=st.sampled_from(Severity),
    observed=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    sentence=st.text(max_size=20),
)


def judged(items: list[Reason]) -> Verdict:
    return verdict("data", items, subjects={"examples": "sha256:0"}, policy=Policy())


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], Status.INCONCLUSIVE),
        ([("passed", "error")], Status.BLESSED),
        ([("passed", "error"), ("failed", "warning")], Status.BLESSED),
        ([("passed", "error"), ("inconclusive", "error")], Status.INCONCLUSIVE),
        ([("failed", "error"), ("inconclusive", "error")], Status.NOT_BLESSED),
        ([("inconclusive", "warning")], Status.BLESSED),
    ],
)
def test_status_follows_from_reasons(outcomes: list[tuple[str, str]], status: Status) -> None:
    items = [Reason(rule="r", subject=str(i), outcome=o, severity=s, sentence="") for i, (o, s) in enumerate(outcomes)]
    assert decide(items) is status


@given(st.lists(reasons, max_size=6), st.randoms())
def test_same_evidence_same_bytes_in_any_order(items: list[Reason], random: object) -> None:
    unique = list({(r.rule, r.subject): r for r in items}.values())
    shuffled = unique.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judged(unique).to_bytes() == judged(shuffled).to_bytes()


@given(st.lists(reasons, max_size=6), reasons)
def test_a_further_failure_never_opens_a_gate(items: list[Reason], failure: Reason) -> None:
    failed = failure.model_copy(update={"outcome": Outcome.FAILED, "severity": Severity.ERROR})
    assert decide([*items, failed]) is Status.NOT_BLESSED


def test_round_trip(tmp_path: Path) -> None:
    made = judged([Reason(rule="r", subject="s", outcome="passed", interval=(0.1, 0.2), sentence="ü")])
    made.save(tmp_path)
    assert Verdict.load(tmp_path) == made
    assert Verdict.load(tmp_path).digest == made.digest


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"status": "BLESSED"}, "does not follow from the reasons"),
        ({"policy": {"mode": "report"}}, "policy digest"),
        ({"status": "SPLENDID"}, "no readable verdict"),
    ],
)
def test_an_edited_verdict_is_refused(tmp_path: Path, edit: dict[str, object], message: str) -> None:
    judged([Reason(rule="r", subject="s", outcome="failed", sentence="")]).save(tmp_path)
    file = tmp_path / VERDICT_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **edit}))
    with pytest.raises(SluiceError, match=message):
        Verdict.load(tmp_path)
