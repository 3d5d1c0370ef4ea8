"""The journal: chained for each writer, held by the ledger, pruned on record; what was changed or removed is found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.promotion.journal import Journal, Observation, Record
from sluice.promotion.ledger import Kind, Ledger
from sluice.storage import Store

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.at(str(tmp_path / "ledger"))


def part(ledger: Ledger, number: int, writer: str = "monitor") -> Path:
    return Path(ledger.store.uri) / "journal" / writer / f"{number:08d}.jsonl"


def observed(number: int, days_ago: float = 0.0, **fields: object) -> Record:
    time = (NOW - timedelta(days=days_ago)).isoformat()
    return Record(kind=Observation.OBSERVED, time=time, facts={"number": number}, **fields)  # type: ignore[arg-type]


def filled(ledger: Ledger, parts: int = 4) -> Journal:
    """A journal of parts of two records, a day apart, the newest of today; an entry of the ledger follows them."""
    for number in range(parts):
        ago = parts - 1 - number
        ledger.journal.append("monitor", observed(2 * number, ago), observed(2 * number + 1, ago))
    ledger.append(Kind.REFUSED, reasons=("too few rows",))
    return ledger.journal


def test_records_come_back_the_newest_first(ledger: Ledger) -> None:
    journal = filled(ledger)
    assert [record.facts["number"] for record in journal.records("monitor")] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert journal.writers() == ["monitor"]
    assert ledger.verify() == []


def test_an_entry_holds_the_ends_of_all_chains(ledger: Ledger) -> None:
    journal = filled(ledger)
    journal.append("score", Record(kind=Observation.SCORED))
    entry = ledger.append(Kind.REFUSED, reasons=("too few rows",))
    assert entry.journal == {"monitor": journal.head("monitor"), "score": journal.head("score")}
    assert ledger.entry(1).journal.keys() == {"monitor"}


def test_waiting_is_written_when_its_reason_changes(ledger: Ledger) -> None:
    def wait(reason: str, version: int = 1) -> bool:
        record = Record(kind=Observation.WAITED, version=version, reasons=(reason,))
        return ledger.journal.append_change("retrain", record) is not None

    assert [wait("no new span"), wait("no new span"), wait("a freeze until Monday"), wait("no new span")] == [
        True, False, True, True,
    ]  # fmt: skip
    assert wait("no new span", version=2)
    assert len(list(ledger.journal.records("retrain"))) == 4


def test_a_record_whose_answer_was_lost_is_written_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Store.put_if_absent
    monkeypatch.setattr(Store, "put_if_absent", lambda *given: create(*given) and create(*given))
    ledger.journal.append("monitor", observed(0))
    ledger.journal.append("monitor", observed(1))
    assert [record.facts["number"] for record in ledger.journal.records("monitor")] == [1, 0]


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_changed_part_is_found(ledger: Ledger, number: int) -> None:
    filled(ledger)
    file = part(ledger, number)
    file.write_text(file.read_text().replace('"version":0', '"version":1'))
    assert any(f"part {number}" in problem for problem in ledger.verify())


def test_a_part_that_is_not_canonical_is_found(ledger: Ledger) -> None:
    ledger.journal.append("monitor", observed(0))
    title, record = part(ledger, 1).read_text().splitlines()
    part(ledger, 1).write_text(f"{title}\n{json.dumps(json.loads(record))}\n")
    assert ledger.verify() == ["the journal of monitor: part 1 is not in canonical form: it was edited"]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ((1,), "part 1 is missing"),
        ((2, 3), "parts 2 to 3 are missing"),
        ((4,), "part 4 is not the one that the ledger names"),
        ((1, 2, 3, 4), "part 4 is not the one that the ledger names"),
    ],
)
def test_a_part_that_was_removed_is_found(ledger: Ledger, gone: tuple[int, ...], said: str) -> None:
    filled(ledger)
    for number in gone:
        part(ledger, number).unlink()
    assert any(said in problem for problem in ledger.verify())


def test_a_whole_journal_that_was_removed_is_found(ledger: Ledger) -> None:
    filled(ledger)
    for file in part(ledger, 1).parent.iterdir():
        file.unlink()
    assert ledger.verify() == [
        "the journal of monitor: part 4 is not the one that the ledger names: it was changed or removed"
    ]


def test_reordered_and_foreign_parts_are_found(ledger: Ledger) -> None:
    filled(ledger)
    two, three = part(ledger, 2).read_bytes(), part(ledger, 3).read_bytes()
    part(ledger, 2).write_bytes(three)
    part(ledger, 3).write_bytes(two)
    assert any("part 2 says that it is part 3 of monitor" in problem for problem in ledger.verify())


def test_a_part_that_cannot_be_read_is_found(ledger: Ledger) -> None:
    filled(ledger)
    part(ledger, 2).write_bytes(b"")
    problems = ledger.verify()
    assert any("part 2 cannot be read" in problem for problem in problems)
    with pytest.raises(SluiceError, match=r"this part of the journal cannot be read\n  see `sluice ledger verify`"):
        list(ledger.journal.records("monitor"))


def test_pruned_verified_written_on_verified(ledger: Ledger) -> None:
    journal = filled(ledger)
    entry = ledger.prune(NOW - timedelta(days=1.5), reason="kept for a day", by="ann")
    assert entry is not None
    assert entry.kind is Kind.PRUNED
    assert entry.reasons == ("ann: kept for a day", "the journal of monitor: removed up to part 2")
    assert journal.numbers("monitor") == [3, 4]
    assert ledger.verify() == []
    journal.append("monitor", observed(8))
    assert journal.numbers("monitor") == [3, 4, 5]
    assert ledger.verify() == []
    part(ledger, 3).unlink()
    assert "the journal of monitor: part 3 is missing" in ledger.verify()


def test_the_newest_part_is_never_pruned(ledger: Ledger) -> None:
    journal = filled(ledger)
    assert ledger.prune(NOW + timedelta(days=1), reason="all", by="ann") is not None
    assert journal.numbers("monitor") == [4]
    assert ledger.prune(NOW + timedelta(days=1), reason="all", by="ann") is None
    journal.append("monitor", observed(8))
    assert ledger.verify() == []


def test_a_removal_that_was_cut_off_is_finished(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(_: Store, *keys: str) -> None:
        if keys:
            raise KeyboardInterrupt

    journal = filled(ledger)
    monkeypatch.setattr(Store, "delete", cut)
    with pytest.raises(KeyboardInterrupt):
        ledger.prune(NOW - timedelta(days=1.5), reason="kept for a day", by="ann")
    monkeypatch.undo()
    assert journal.numbers("monitor") == [1, 2, 3, 4]
    assert ledger.verify() == []
    assert ledger.prune(NOW - timedelta(days=1.5), reason="kept for a day", by="ann") is None
    assert journal.numbers("monitor") == [3, 4]
    assert ledger.verify() == []


@pytest.mark.parametrize("writer", ["", "a/b", "..", "Monitor", "x" * 64, "-a"])
def test_a_writer_has_a_name_that_every_store_takes(ledger: Ledger, writer: str) -> None:
    with pytest.raises(SluiceError, match="is no name for a writer of the journal"):
        ledger.journal.append(writer, observed(0))


def test_the_end_of_a_long_chain_is_found_in_a_few_reads(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        ledger.journal.append("monitor", observed(number))
    reads: list[str] = []
    for name in ("get", "has"):
        ask = getattr(Store, name)
        monkeypatch.setattr(Store, name, lambda self, key, ask=ask: reads.append(key) or ask(self, key))
    monkeypatch.setattr(Store, "keys", lambda *_: pytest.fail("listed"))
    head = ledger.journal.head("monitor")
    assert head is not None
    assert (head.part, len(reads)) == (100, 4)
