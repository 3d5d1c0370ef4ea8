"""The ledger: numbered, chained, decided by the store; what was changed is found."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.promotion.ledger import FIRST, Kind, Ledger, OutrunError
from sluice.storage import Store


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.at(str(tmp_path / "ledger"))


def promote(ledger: Ledger, model: str = "sha256:m") -> int:
    return ledger.append(Kind.PROMOTED, after=ledger.champion(), model=model, span="1").number


def entry_file(ledger: Ledger, number: int) -> Path:
    return Path(ledger.store.uri) / "entries" / f"{number:08d}.json"


def test_an_empty_ledger_has_no_champion(ledger: Ledger) -> None:
    assert (ledger.champion(), ledger.last(), ledger.last_span(), ledger.verify()) == (None, None, None, [])


def test_entries_are_numbered_and_chained(ledger: Ledger) -> None:
    promote(ledger)
    ledger.append(Kind.REFUSED, reasons=("too few rows",), span="2")
    first, second = ledger.entry(1), ledger.entry(2)
    assert first.previous == FIRST
    assert second.previous == first.digest
    assert ledger.champion() == first
    assert ledger.last_span() == "2"
    assert ledger.verify() == []


def test_a_promotion_that_rests_on_another_champion_is_not_written(ledger: Ledger) -> None:
    promote(ledger)
    with pytest.raises(OutrunError, match="it is now version 1"):
        ledger.append(Kind.PROMOTED, after=None, model="sha256:other")
    assert ledger.numbers() == [1]


def test_of_many_at_once_one_promotes_and_every_refusal_is_kept(ledger: Ledger) -> None:
    def attempt(number: int) -> str:
        try:
            ledger.append(Kind.PROMOTED, after=None, model=f"sha256:{number}")
        except OutrunError:
            ledger.append(Kind.REFUSED, reasons=("outrun",), model=f"sha256:{number}")
            return "refused"
        return "promoted"

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(attempt, range(20)))
    assert outcomes.count("promoted") == 1
    assert ledger.numbers() == list(range(1, 21))
    assert len({entry.model for entry in ledger.entries()}) == 20
    assert ledger.verify() == []


def test_an_entry_whose_answer_was_lost_is_known_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gets no answer asks again, and is told that the entry is there: it is its own."""
    create = Store.put_if_absent
    monkeypatch.setattr(Store, "put_if_absent", lambda *given: create(*given) and create(*given))
    assert promote(ledger) == 1
    assert ledger.append(Kind.REFUSED, reasons=("too few rows",)).number == 2
    assert ledger.numbers() == [1, 2]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_changed_entry_is_found(ledger: Ledger, number: int) -> None:
    for _ in range(3):
        promote(ledger)
    file = entry_file(ledger, number)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"span": "9"}))
    assert any(f"entry {number}" in problem or f"entry {number + 1}" in problem for problem in ledger.verify())


def test_an_entry_changed_in_canonical_form_is_found_by_the_next(ledger: Ledger) -> None:
    for _ in range(2):
        promote(ledger)
    edited = ledger.entry(1).model_copy(update={"span": "9"})
    entry_file(ledger, 1).write_bytes(edited.to_bytes())
    assert ledger.verify() == ["entry 2 does not follow from entry 1: one of the two was changed"]


def test_a_missing_and_a_reordered_entry_are_found(ledger: Ledger) -> None:
    for _ in range(4):
        promote(ledger)
    one, two = entry_file(ledger, 2).read_bytes(), entry_file(ledger, 3).read_bytes()
    entry_file(ledger, 2).write_bytes(two)
    entry_file(ledger, 3).write_bytes(one)
    assert any("says that it is number 3" in problem for problem in ledger.verify())
    entry_file(ledger, 2).unlink()
    assert "entry 2 is missing" in ledger.verify()
    with pytest.raises(SluiceError, match=r"entry 2 is missing\n  see `sluice ledger verify`"):
        list(ledger.entries())


def test_an_end_that_was_cut_off_is_found(ledger: Ledger) -> None:
    for _ in range(3):
        promote(ledger)
    entry_file(ledger, 3).unlink()
    assert ledger.verify() == ["the newest entry was number 3 once, and is 2 now: the end was cut off"]


def test_a_champion_that_does_not_follow_is_found(ledger: Ledger) -> None:
    promote(ledger)
    promote(ledger)
    forged = ledger.entry(2).model_copy(update={"champion": 1})
    entry_file(ledger, 2).write_bytes(forged.to_bytes())
    assert ledger.verify() == ["entry 2 names champion 1, which does not follow from the entry before"]


@pytest.mark.parametrize(
    "hint", ["", "null", '{"number": -3}', '{"number": 7}', '{"number": 4000}', '{"number": 64}', "{"]
)
def test_the_hint_is_trusted_in_nothing(ledger: Ledger, hint: str) -> None:
    for _ in range(64):
        promote(ledger)
    head = Path(ledger.store.uri) / "head.json"
    assert json.loads(head.read_text()) == {"number": 64}
    head.write_text(hint)
    newest = ledger.last()
    assert newest is not None
    assert newest.number == 64
    assert ledger.champion() == newest
    head.unlink()
    assert promote(ledger) == 65


def test_champion_and_newest_are_found_in_a_few_reads_however_long_the_history(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(ledger)
    for _ in range(200):
        ledger.append(Kind.REFUSED, reasons=("too few rows",))
    reads: list[str] = []
    for name in ("get", "has"):
        ask = getattr(Store, name)
        monkeypatch.setattr(Store, name, lambda self, key, ask=ask: reads.append(key) or ask(self, key))
    monkeypatch.setattr(Store, "keys", lambda *_: pytest.fail("listed"))
    champion = ledger.champion()
    assert champion is not None
    assert champion.number == 1
    assert len(reads) == 5  # the hint, whether the newest and one after it are there, the newest, the champion


def test_a_version_has_a_counter_of_its_own(ledger: Ledger) -> None:
    for _ in range(3):
        promote(ledger)
        for _ in range(4):
            ledger.append(Kind.REFUSED, reasons=("too few rows",))
    assert [entry.version for entry in ledger.entries() if entry.version] == [3, 2, 1]
    assert [ledger.version(version).number for version in (1, 2, 3)] == [1, 6, 11]
    for absent in (0, 4, 11):
        with pytest.raises(SluiceError, match=f"no version {absent}"):
            ledger.version(absent)
    assert ledger.verify() == []


def test_a_version_that_is_not_the_next_is_found(ledger: Ledger) -> None:
    promote(ledger)
    promote(ledger)
    entry_file(ledger, 2).write_bytes(ledger.entry(2).model_copy(update={"version": 7, "last_version": 7}).to_bytes())
    assert ledger.verify() == [
        "entry 2 publishes version 7, and 2 is next", "entry 2 says that the highest version is 7, and it is 2",
    ]  # fmt: skip


def test_a_clock_that_goes_backwards_changes_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards(datetime):
        calls = 0

        @classmethod
        def now(cls, tz: object = None) -> datetime:
            cls.calls += 1
            return datetime(2030 - cls.calls, 1, 1, tzinfo=UTC)

    monkeypatch.setattr("sluice.promotion.ledger.datetime", Backwards)
    for _ in range(3):
        promote(ledger)
    assert [entry.time[:4] for entry in ledger.entries()] == ["2027", "2028", "2029"]
    champion = ledger.champion()
    assert champion is not None
    assert champion.number == 3
    assert ledger.verify() == []


def test_an_unreadable_entry_is_told(ledger: Ledger) -> None:
    promote(ledger)
    entry_file(ledger, 1).write_text("{}")
    assert "cannot be read" in ledger.verify()[0]
    with pytest.raises(SluiceError, match="entry 1 cannot be read"):
        ledger.champion()


def test_evidence_is_named_by_its_digest_and_checked(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.pbtxt").write_text("feature {}")
    named = ledger.keep(tmp_path / "schema")
    assert ledger.keep(tmp_path / "schema") == named
    ledger.append(Kind.PROMOTED, after=None, model="sha256:m", evidence={"schema": named})
    ledger.fetch(named, tmp_path / "out")
    assert (tmp_path / "out" / "schema.pbtxt").read_text() == "feature {}"
    kept = next(Path(ledger.store.uri).glob("evidence/*/schema.pbtxt"))
    kept.write_text("feature { }")
    assert ledger.verify() == ["entry 1: the evidence 'schema' is missing or was changed"]
    with pytest.raises(SluiceError, match="is missing or was changed"):
        ledger.fetch(named, tmp_path / "again")
