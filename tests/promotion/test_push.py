"""The pusher: what it publishes, and what it refuses whatever the graph around it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.verdict import CHAMPION_STATISTICS, JudgedRows, Outcome, Reason, Severity, Verdict
from sluice.promotion import approved_policies
from sluice.promotion.destinations import base
from sluice.promotion.destinations.folder import LocalFolder
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.refuse import refuse
from sluice.promotion.resolve import resolve
from sluice.promotion.rollback import rollback
from tests.promotion import made
from tests.promotion.made import Candidate, content


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(tmp_path / "ledger")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "published"


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    made_here = made.candidate(tmp_path / "candidate", "first")
    made_here.judge(None)
    return made_here


def served(folder: Path) -> dict[int, str]:
    return {version: content(folder / str(version)) for version in base.at(str(folder)).versions()}


def test_what_three_gates_blessed_is_published(candidate: Candidate, ledger: str, published: Path) -> None:
    entry = candidate.push(ledger, str(published))
    assert (entry.kind, entry.number, entry.version, entry.champion, entry.policies_entry) == (
        Kind.PROMOTED,
        1,
        1,
        1,
        1,
    )
    assert entry.model == candidate.digest
    assert digest.of_tree(published / "1") == candidate.digest
    assert [path.name for path in (published / ".staging").iterdir()] == []
    assert Ledger.at(ledger).verify() == []


def swap_model(candidate: Candidate) -> None:
    (candidate.model / "saved_model.pb").write_text("swapped")


def edit_status(candidate: Candidate) -> None:
    candidate.judge(None, Outcome.FAILED)
    file = candidate.folder / "verdict-model" / "verdict.json"
    file.write_text(file.read_text().replace('"NOT_BLESSED"', '"BLESSED"'))


def steal_verdict(candidate: Candidate) -> None:
    other = made.candidate(candidate.folder / "other", "other")
    other.judge(None)
    (other.folder / "verdict-model" / "verdict.json").replace(candidate.folder / "verdict-model" / "verdict.json")


def test_a_symbolic_link_is_no_part_of_a_model(candidate: Candidate, ledger: str, published: Path) -> None:
    (candidate.model / "saved_model.pb").rename(candidate.folder / "elsewhere")
    (candidate.model / "saved_model.pb").symlink_to(candidate.folder / "elsewhere")
    with pytest.raises(SluiceError, match=r"saved_model.pb: a symbolic link"):
        candidate.push(ledger, str(published))
    assert served(published) == {}


def weaken_policy(candidate: Candidate) -> None:
    candidate.policies["model"] = {"rules": [{"metric": "auc", "at_least": 0.55}]}


def remove_verdict(candidate: Candidate) -> None:
    (candidate.folder / "verdict-service" / "verdict.json").unlink()


def close_gate(candidate: Candidate) -> None:
    candidate.judge(None, Outcome.INCONCLUSIVE)


def retrain(candidate: Candidate) -> None:
    file = candidate.model / "model.json"
    file.write_text(file.read_text().replace(made.EXAMPLES.digest, "sha256:others"))
    candidate.judge(None)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (swap_model, "the model gate judged other model than these"),
        (edit_status, "does not follow from the reasons"),
        (steal_verdict, "the model gate judged other model than these"),
        (weaken_policy, "the model gate judged by another policy than the use case has"),
        (remove_verdict, "the verdict of the service gate: no readable verdict"),
        (close_gate, "the data gate says INCONCLUSIVE"),
        (retrain, "the model was trained on other examples"),
    ],
)
def test_whatever_was_tampered_with_is_refused(
    candidate: Candidate, ledger: str, published: Path, tamper: Callable[[Candidate], None], reason: str
) -> None:
    tamper(candidate)
    entry = candidate.push(ledger, str(published))
    assert entry.kind is Kind.REFUSED
    assert any(reason in given for given in entry.reasons), entry.reasons
    assert served(published) == {}
    assert not list(published.glob(".staging/*"))


def test_a_policy_weakened_in_the_run_s_parameters_is_refused_until_it_is_adopted(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    """Gate and pusher get the same weak policy: only the ledger knows that it is another one."""
    candidate.push(ledger, str(published))
    weak = made.candidate(tmp_path / "weak", "weak")
    weak.policies["model"] = {"rules": [{"metric": "auc", "at_least": 0.55}]}
    refused = weak.judged_and_pushed(ledger, str(published))
    assert refused.kind is Kind.REFUSED
    assert refused.reasons == (
        "the model policy is not the one in force since entry 1 "
        "(rules[0].at_least: 0.65 -> 0.55): "
        "if the change is meant, adopt it (sluice adopt --reason ...)",
    )
    with pytest.raises(SluiceError, match="is not the one in force since entry 1"):
        approved_policies.check(ledger, weak.policies)
    adopted = approved_policies.adopt(ledger, weak.policies, reason="0.65 was out of reach", by="ann")
    assert (adopted.kind, adopted.policies_entry, adopted.champion) == (Kind.ADOPTED, 3, 1)
    assert adopted.reasons[0] == "ann: 0.65 was out of reach"
    approved_policies.check(ledger, weak.policies)
    assert weak.judged_and_pushed(ledger, str(published)).kind is Kind.PROMOTED
    with pytest.raises(SluiceError, match="are in force already, since entry 3"):
        approved_policies.adopt(ledger, weak.policies, reason="again", by="ann")
    assert Ledger.at(ledger).verify() == []


def test_a_pusher_s_own_policy_is_law_as_well(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    candidate.policies["push"] = {"keep": 5}
    candidate.push(ledger, str(published))
    other = made.candidate(tmp_path / "other", "other")
    reasons = other.judged_and_pushed(ledger, str(published)).reasons
    assert any("the push policy is not the one in force since entry 1 (keep: 5 -> 0)" in reason for reason in reasons)


def test_a_model_judged_against_a_champion_that_is_no_longer_one(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    candidate.push(ledger, str(published))
    late = made.candidate(tmp_path / "late", "late")
    late.judge(None)
    assert "the champion is now version 1" in late.push(ledger, str(published)).reasons[0]


def test_the_champion_itself_is_not_pushed_again(candidate: Candidate, ledger: str, published: Path) -> None:
    candidate.push(ledger, str(published))
    again = candidate.judged_and_pushed(ledger, str(published))
    assert again.reasons == ("the model is the champion, version 1: there is nothing to push",)


def test_retention_keeps_the_newest_the_champion_and_the_one_before(
    ledger: str, published: Path, tmp_path: Path
) -> None:
    for number in range(1, 6):
        one = made.candidate(tmp_path / str(number), f"model {number}")
        one.policies["push"] = {"keep": 3}
        assert one.judged_and_pushed(ledger, str(published)).kind is Kind.PROMOTED
    assert sorted(served(published)) == [3, 4, 5]
    back = rollback(ledger, reason="worse", by="ann", to=3)
    assert served(published)[back.version] == "model 3"
    one = made.candidate(tmp_path / "7", "model 7")
    one.policies["push"] = {"keep": 1}
    approved_policies.adopt(ledger, one.policies, reason="less", by="ann")
    assert one.judged_and_pushed(ledger, str(published)).version == 7
    assert sorted(served(published)) == [6, 7]  # the champion, and the one served before it
    with pytest.raises(SluiceError, match="version 5 is no longer published"):
        rollback(ledger, reason="worse", by="ann", to=5)


def test_what_a_push_that_was_cut_off_left_staged_is_swept(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    place = base.at(str(published))
    place.stage(candidate.model, "0-leftover")
    candidate.push(ledger, str(published))
    assert place.staged() == []
    place.stage(candidate.model, "1-another-push-at-work")
    one = made.candidate(tmp_path / "one", "one")
    assert one.judged_and_pushed(ledger, str(published)).kind is Kind.PROMOTED
    assert place.staged() == []
    place.stage(candidate.model, "2-at-work")
    two = made.candidate(tmp_path / "two", "two")
    two.judge(None)
    assert two.push(ledger, str(published)).kind is Kind.REFUSED
    assert place.staged() == ["2-at-work"]


@pytest.mark.parametrize("fault", [OSError("no answer"), KeyboardInterrupt()], ids=["answer lost", "interrupted"])
def test_what_was_committed_after_all_is_published_by_the_next_run(
    candidate: Candidate,
    ledger: str,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
) -> None:
    append = Ledger.append

    def cut_off(*args: Any, **kwargs: Any) -> None:
        append(*args, **kwargs)
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", cut_off)
        with pytest.raises(type(fault)):
            candidate.push(ledger, str(published))
    assert served(published) == {}
    second = made.candidate(tmp_path / "second", "second")
    assert second.judged_and_pushed(ledger, str(published)).number == 2
    assert served(published) == {1: "first", 2: "second"}


def test_what_another_ledger_published_is_not_touched(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    """Nor can a ledger of one's own, in which no policies are in force, publish there."""
    candidate.push(ledger, str(published))
    other = made.candidate(tmp_path / "other", "other")
    for _ in range(2):  # the second time it has an entry of that number
        with pytest.raises(SluiceError, match=r"version 1 is published there, and this ledger .* knows nothing of it"):
            other.judged_and_pushed(str(tmp_path / "empty"), str(published))
        Ledger.at(str(tmp_path / "empty")).append(Kind.REFUSED, reasons=("too few rows",))
    assert served(published) == {1: "first"}


@pytest.fixture
def two_places(tmp_path: Path) -> tuple[str, str]:
    return str(tmp_path / "here"), str(tmp_path / "there, too")


def test_several_destinations_get_the_same(
    candidate: Candidate, ledger: str, two_places: tuple[str, str], tmp_path: Path
) -> None:
    entry = candidate.push(ledger, *two_places)
    assert entry.kind is Kind.PROMOTED
    for place in two_places:
        assert digest.of_tree(Path(place) / "1") == entry.model


def refuse_to_publish(monkeypatch: pytest.MonkeyPatch, folder: Path, *, undo: bool = True) -> None:
    """Have one destination fail at the last step, and be well again when the patch is undone."""
    publish, withdraw = LocalFolder.publish, LocalFolder.withdraw

    def failing(self: LocalFolder, name: str, version: int, **options: bool) -> None:
        if self.root == folder:
            raise OSError("the endpoint has no quota")
        publish(self, name, version, **options)

    def stuck(self: LocalFolder, version: int, previous: int | None) -> None:
        if not undo and self.root != folder:
            raise OSError("the endpoint does not answer")
        withdraw(self, version, previous)

    monkeypatch.setattr(LocalFolder, "publish", failing)
    monkeypatch.setattr(LocalFolder, "withdraw", stuck)


def test_where_one_destination_fails_all_are_set_back(
    candidate: Candidate, ledger: str, two_places: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = candidate.push(ledger, *two_places)
    second = made.candidate(tmp_path / "second", "second")
    with monkeypatch.context() as patch:
        refuse_to_publish(patch, tmp_path / "there, too")
        entry = second.judged_and_pushed(ledger, *two_places)
    assert (entry.kind, entry.withdraws, entry.restores, entry.champion) == (Kind.WITHDRAWN, 2, 1, 1)
    assert entry.reasons[0].endswith("there, too: the endpoint has no quota")
    assert entry.reasons[1] == "version 1 is served, as before"
    for place in two_places:
        assert served(Path(place)) == {1: "first"}
        assert not list(Path(place).glob(".staging/*"))
    assert Ledger.at(ledger).champion() == first
    assert Ledger.at(ledger).verify() == []
    assert second.judged_and_pushed(ledger, *two_places).version == 3
    assert served(tmp_path / "there, too") == {1: "first", 3: "second"}


def test_what_cannot_be_undone_is_said_and_done_by_the_next_push(
    candidate: Candidate, ledger: str, two_places: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate.push(ledger, *two_places)
    second = made.candidate(tmp_path / "second", "second")
    with monkeypatch.context() as patch:
        refuse_to_publish(patch, tmp_path / "there, too", undo=False)
        with pytest.raises(SluiceError, match=r"could not be undone at .*here: the endpoint does not answer"):
            second.judged_and_pushed(ledger, *two_places)
    assert served(tmp_path / "here") == {1: "first", 2: "second"}
    third = made.candidate(tmp_path / "third", "third")
    assert third.judged_and_pushed(ledger, *two_places).kind is Kind.PROMOTED
    assert served(tmp_path / "here") == served(tmp_path / "there, too") == {1: "first", 3: "third"}


def test_a_destination_that_takes_nothing_is_known_before_anything_is_decided(
    candidate: Candidate, ledger: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        candidate.push(ledger, str(tmp_path / "here"), str(tmp_path / "file"))
    assert Ledger.at(ledger).numbers() == []
    assert not list((tmp_path / "here").glob(".staging/*"))


def test_facts_are_on_record(
    candidate: Candidate, ledger: str, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_IMAGE", "registry/sluice/light@sha256:abc")
    assert candidate.push(ledger, str(published)).facts == {"image": "registry/sluice/light@sha256:abc"}
    file = candidate.folder / "verdict-service" / "verdict.json"
    named = Verdict.load(file.parent).model_copy(
        update={"evidence": {"image": "registry/sluice/tensorflow@sha256:def"}}
    )
    named.save(file.parent)
    facts = candidate.push(ledger, str(published)).facts
    assert facts["image-service"] == "registry/sluice/tensorflow@sha256:def"


def test_a_resolved_champion_is_what_was_pushed(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    entry: Entry = candidate.push(ledger, str(published))
    outs = {f"{name}_out": tmp_path / "got" / name for name in ("model", "statistics", "schema")}
    assert resolve(ledger, **outs) == entry
    assert digest.of_tree(tmp_path / "got" / "model") == entry.model


@pytest.mark.parametrize("theirs", [True, False])
def test_seen_rows_are_counted_by_the_champions_own_statistics(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path, theirs: bool
) -> None:
    first = candidate.push(ledger, str(published))
    second = made.candidate(tmp_path / "second", "second")
    second.judge(1)
    folder = second.verdicts()["model"]
    counted_by = first.evidence["statistics"] if theirs else "sha256:other"
    judged = Verdict.load(folder)
    judged.model_copy(update={"subjects": {**judged.subjects, CHAMPION_STATISTICS: counted_by}}).save(folder)
    entry = second.push(ledger, str(published))
    assert entry.kind is (Kind.PROMOTED if theirs else Kind.REFUSED)
    assert any("by other statistics than the champion's" in reason for reason in entry.reasons) is not theirs


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"train": made.JUDGED["train"]}, "judged the rows of train, and a push asks for a verdict on eval"),
        ({}, "judged the rows of no split, and a push asks for a verdict on eval"),
        (made.JUDGED, "judged the rows of eval, train, and a push asks for a verdict on eval"),
        ({"eval": made.JUDGED["train"]}, "judged other rows of eval than these"),
    ],
)
def test_a_verdict_on_other_rows_than_the_evaluation_splits_opens_nothing(
    candidate: Candidate, ledger: str, published: Path, splits: dict[str, JudgedRows], said: str
) -> None:
    folder = candidate.verdicts()["model"]
    Verdict.load(folder).model_copy(update={"splits": splits}).save(folder)
    entry = candidate.push(ledger, str(published))
    assert entry.kind is Kind.REFUSED
    assert any(said in reason for reason in entry.reasons)


def test_a_verdict_and_examples_of_an_earlier_format_are_refused(
    candidate: Candidate, ledger: str, published: Path
) -> None:
    frozen = Path(__file__).parents[1] / "compatibility" / "f727216" / "run"
    candidate.verdicts()["model"].joinpath("verdict.json").write_bytes(
        (frozen / "evaluate" / "verdict" / "verdict.json").read_bytes()
    )
    entry = candidate.push(ledger, str(published))
    assert any("model gate is of an earlier release and does not say which rows it judged" in r for r in entry.reasons)


def test_an_entry_keeps_what_is_known_of_the_rows_and_the_gates_warnings(
    candidate: Candidate, ledger: str, published: Path
) -> None:
    note = "12 of 1,200 rows could not be read as the columns' types, and are in quarantine/part-00000.parquet"
    for gate, folder in candidate.verdicts().items():
        loaded = Verdict.load(folder)
        warning = Reason(
            rule="outliers", subject="x", outcome=Outcome.FAILED, severity=Severity.WARNING, sentence=f"{gate} warns"
        )
        evidence = {"notes": [note]} if gate != "service" else {}
        loaded.model_copy(update={"reasons": (*loaded.reasons, warning), "evidence": evidence}).save(folder)
    promoted = candidate.push(ledger, str(published))
    assert promoted.kind is Kind.PROMOTED
    expected = (note, "data gate, outliers: data warns", "model gate, outliers: model warns")
    assert promoted.notes == (*expected, "service gate, outliers: service warns")
    refused = refuse(verdict=candidate.verdicts()["model"], ledger=ledger, run={"use_case": "made"})
    assert refused.notes == (note, "model gate, outliers: model warns")
    assert Ledger.at(ledger).entry(2).notes == refused.notes
    assert Ledger.at(ledger).verify() == []
