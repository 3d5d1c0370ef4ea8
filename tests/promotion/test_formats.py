"""What a later release may add without a word, and what this one refuses to guess at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.data.policy import DataPolicy
from sluice.gates.verdict import VERDICT_FILE, Verdict
from sluice.promotion import approved_policies, ledger
from sluice.promotion.entry import Entry
from sluice.promotion.journal import Journal, Observation, Record
from sluice.promotion.ledger import Kind, Ledger
from sluice.stored import NewerFormatError
from tests.promotion import made


class LaterEntry(Entry):
    """An entry of a later release, which knows one more field."""

    cost: float = 0.0


class LaterDataPolicy(DataPolicy):
    """A data policy of a later release, with one more rule, off by default."""

    impossible: float | Literal["off"] = "off"


class StricterDataPolicy(DataPolicy):
    """A data policy of a later release, which has another default."""

    min_rows: int = 5000


@pytest.fixture
def line(tmp_path: Path) -> tuple[str, str]:
    """A ledger and a destination with two versions."""
    places = str(tmp_path / "ledger"), str(tmp_path / "published")
    for number in (1, 2):
        made.candidate(tmp_path / str(number), f"model {number}").judged_and_pushed(*places)
    return places


def rewrite(file: Path, **changes: Any) -> None:
    file.write_bytes(digest.canonical_json(json.loads(file.read_text()) | changes))


def entry_file(uri: str, number: int) -> Path:
    return Path(uri) / "entries" / f"{number:08d}.json"


def test_a_field_with_a_default_changes_no_digest(
    line: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = [entry.digest for entry in Ledger.at(line[0]).entries()]
    monkeypatch.setattr(ledger, "Entry", LaterEntry)
    later = Ledger.at(line[0])
    assert [entry.digest for entry in later.entries()] == before
    assert later.verify() == []
    assert made.candidate(tmp_path / "3", "model 3").judged_and_pushed(*line).kind is Kind.PROMOTED
    assert later.verify() == []
    monkeypatch.undo()  # and the earlier release reads on
    assert Ledger.at(line[0]).verify() == []
    assert made.candidate(tmp_path / "4", "model 4").judged_and_pushed(*line).version == 4


def test_a_rule_that_is_off_by_default_refuses_no_push(
    line: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = made.candidate(tmp_path / "3", "model 3")
    before = approved_policies.read(one.policies).digests
    monkeypatch.setitem(approved_policies.POLICIES, "data", LaterDataPolicy)
    assert approved_policies.read(one.policies).digests == before
    approved_policies.check(line[0], one.policies)
    assert one.judged_and_pushed(*line).kind is Kind.PROMOTED
    switched_on = {**one.policies, "data": {"impossible": 0.01}}
    with pytest.raises(SluiceError, match=r"impossible: \"off\" -> 0.01\)"):
        approved_policies.check(line[0], switched_on)


def test_a_default_that_a_release_changes_needs_one_adoption(
    line: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = made.candidate(tmp_path / "3", "model 3")
    monkeypatch.setitem(approved_policies.POLICIES, "data", StricterDataPolicy)
    with pytest.raises(SluiceError, match=r"min_rows: 1000 -> 5000 \(the default has changed\)"):
        approved_policies.check(line[0], one.policies)
    assert one.judged_and_pushed(*line).kind is Kind.REFUSED
    entry = approved_policies.adopt(line[0], one.policies, reason="sluice 9", by="ann")
    assert entry.reasons[1:] == ("data: min_rows: 1000 -> 5000 (the default has changed)",)
    assert one.judged_and_pushed(*line).kind is Kind.PROMOTED


def test_a_line_that_was_removed_is_no_changed_default(line: tuple[str, str]) -> None:
    policies = {"data": {"min_rows": 2000}, "model": made.MODEL_POLICY, "service": {}}
    approved_policies.adopt(line[0], policies, reason="more rows", by="ann")
    with pytest.raises(SluiceError, match=r"min_rows: 2000 -> 1000\): if the change is meant"):
        approved_policies.check(line[0], {**policies, "data": {}})


def test_a_default_that_is_written_out_is_the_same_policy(line: tuple[str, str]) -> None:
    approved_policies.check(line[0], {"data": {"min_rows": 1000.0}, "model": made.MODEL_POLICY, "service": {}})


def test_policies_that_this_release_cannot_read_are_compared_as_written(
    line: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = made.candidate(tmp_path / "3", "model 3")
    fields = {name: field for name, field in DataPolicy.model_fields.items() if name != "duplicates"}

    class Shorter(DataPolicy):  # knows one field less, so that what was filled in before is refused
        def __init__(self, **given: Any) -> None:
            if unknown := given.keys() - fields.keys():
                raise TypeError(unknown)
            super().__init__(**given)

        @classmethod
        def model_validate(cls, given: Any, **_: Any) -> DataPolicy:
            if "duplicates" in given:
                return super().model_validate({**given, "duplicates_are_gone": True})
            return DataPolicy.model_validate(given)

    monkeypatch.setitem(approved_policies.POLICIES, "data", Shorter)
    approved_policies.check(line[0], one.policies)
    with pytest.raises(SluiceError, match="the data policy is not the one in force"):
        approved_policies.check(line[0], {**one.policies, "data": {"min_rows": 10}})


def test_a_field_of_a_later_release_is_read_over(line: tuple[str, str]) -> None:
    rewrite(entry_file(line[0], 2), cost=3.5, release="0.9.0")
    assert Ledger.at(line[0]).verify() == []
    assert Ledger.at(line[0]).entry(2).release == "0.9.0"


@pytest.mark.parametrize("changes", [{"format": 3}, {"kind": "stopped"}])
def test_an_entry_that_only_a_later_release_reads_is_refused_by_its_name(
    line: tuple[str, str], changes: dict[str, Any], tmp_path: Path
) -> None:
    rewrite(entry_file(line[0], 2), release="0.9.0", **changes)
    with pytest.raises(
        NewerFormatError, match=r"written by sluice 0.9.0, read by sluice .*\n  use sluice 0.9.0, or a later one"
    ):
        Ledger.at(line[0]).last()
    with pytest.raises(NewerFormatError):
        made.candidate(tmp_path / "3", "model 3").push(*line)
    (problem,) = Ledger.at(line[0]).verify()
    assert problem.startswith("entry 2 cannot be judged: ")


@pytest.mark.parametrize("number", [0, -1, True, "2", 1.5, None])
def test_a_format_that_is_no_number_is_refused(line: tuple[str, str], number: Any) -> None:
    rewrite(entry_file(line[0], 2), format=number)
    with pytest.raises(SluiceError, match="which is no format number"):
        Ledger.at(line[0]).last()


def test_a_verdict_of_a_later_format_is_refused_by_its_name(tmp_path: Path) -> None:
    one = made.candidate(tmp_path / "1", "model 1")
    one.judge(None)
    rewrite(one.verdicts()["model"] / VERDICT_FILE, format=3, release="0.9.0")
    with pytest.raises(NewerFormatError, match=r"the verdict has format 3.*written by sluice 0\.9\.0"):
        Verdict.load(one.verdicts()["model"])


def test_a_verdicts_digest_is_of_its_bytes(tmp_path: Path) -> None:
    one = made.candidate(tmp_path / "1", "model 1")
    one.judge(None)
    file = one.verdicts()["data"] / VERDICT_FILE
    rewrite(file, confidence=0.5)  # as a later release of the same format might
    assert Verdict.load(file.parent).digest == digest.of_file(file)


def test_a_part_of_the_journal_of_a_later_format_is_refused_by_its_name(line: tuple[str, str]) -> None:
    journal = Journal(Ledger.at(line[0]).store)
    journal.append("monitor", Record(kind=Observation.OBSERVED))
    file = Path(line[0]) / "journal" / "monitor" / "00000001.jsonl"
    title, record = file.read_text().splitlines()
    file.write_text(f"{json.dumps(json.loads(title) | {'format': 2, 'release': '0.9.0'})}\n{record}\n")
    with pytest.raises(NewerFormatError, match=r"written by sluice 0\.9\.0"):
        list(journal.records("monitor"))
