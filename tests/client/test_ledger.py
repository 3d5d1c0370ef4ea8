"""`sluice ledger`: versions beside entries, the journal, what a later release wrote, and a removal on record."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sluice.client.ledger import app
from sluice.errors import SluiceError
from sluice.promotion.journal import Observation, Record
from sluice.promotion.ledger import Ledger

ROOT = Path(__file__).parents[2]
FROZEN = ROOT / "tests" / "compatibility" / "f727216"


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """The frozen ledger of an earlier release, with a journal: old records, and one of today."""
    shutil.copytree(FROZEN / "ledger", tmp_path / "ledger")
    journal = Ledger.at(str(tmp_path / "ledger")).journal
    old = (datetime.now(UTC) - timedelta(days=100)).isoformat(timespec="seconds")
    for number in range(3):
        journal.append(
            "monitor", Record(kind=Observation.OBSERVED, time=old, version=11, span=str(number), reasons=("calm",))
        )
    journal.append("monitor", Record(kind=Observation.OBSERVED, version=11, span="3", reasons=("drift of origin",)))
    return str(tmp_path / "ledger")


def ran(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments])


def said(*arguments: str) -> str:
    result = ran(*arguments)
    assert result.exit_code == 0, result.exception
    return result.stdout


def test_versions_stand_beside_entries(ledger: str) -> None:
    lines = said("log", "--ledger", ledger).splitlines()
    assert lines[0].split()[:2] == ["entry", "version"]
    assert re.match(r"\s*11\s+11\s", lines[1])
    assert any(re.match(r"\s*10\s+2\d{3}-", line) for line in lines)  # routed: it publishes no version


def test_an_entry_is_shown_as_it_is_stored(ledger: str) -> None:
    stored = json.loads(Path(ledger, "entries", "00000003.json").read_text())
    assert json.loads(said("show", "3", "--ledger", ledger)) == stored


def test_the_journal_is_listed_the_newest_first(ledger: str) -> None:
    lines = said("journal", "--ledger", ledger).splitlines()
    assert len(lines) == 5
    assert lines[1].split()[0] == "monitor"
    assert lines[1].endswith("drift of origin") or "drift of origin" in lines[1]
    found = json.loads(said("journal", "monitor", "--limit", "2", "--json", "--ledger", ledger))
    assert [record["span"] for record in found["monitor"]] == ["3", "2"]


def test_an_unknown_writer_is_refused_by_the_known_ones(ledger: str, tmp_path: Path) -> None:
    result = ran("journal", "score", "--ledger", ledger)
    assert isinstance(result.exception, SluiceError)
    assert "no writer 'score'" in str(result.exception)
    assert "writers: monitor" in str(result.exception)
    assert "The journal is empty." in said("journal", "--ledger", str(tmp_path / "empty"))


def test_a_removal_is_an_entry_and_everything_verifies(ledger: str) -> None:
    done = said("prune", "--days", "90", "--reason", "kept for a quarter", "--by", "ann", "--ledger", ledger)
    assert "entry 12: the journal of monitor: removed up to part 3" in done
    assert "nothing to remove" in said("prune", "--days", "90", "--reason", "again", "--by", "ann", "--ledger", ledger)
    verified = said("verify", "--ledger", ledger)
    assert "12 entries, each following from the one before" in verified
    assert "the journal of monitor: 1 part, " in verified


def test_a_part_that_was_removed_by_hand_does_not_verify(ledger: str) -> None:
    Ledger.at(ledger).append("refused", reasons=("holds the end of the chain",))  # type: ignore[arg-type]
    Path(ledger, "journal", "monitor", "00000002.jsonl").unlink()
    result = ran("verify", "--ledger", ledger)
    assert isinstance(result.exception, SluiceError)
    assert "the journal of monitor: part 2 is missing" in str(result.exception)


def test_the_pages_commands_are_there() -> None:
    """Those of docs/compatibility.md, which need a ledger with a journal, by their names and options."""
    page = (ROOT / "docs" / "compatibility.md").read_text()
    for name, rest in re.findall(r"^sluice ledger (\w+)(.*)$", page, re.M):
        options = re.findall(r"(--[a-z]+)", rest)
        shown: Any = said(name, "--help")
        assert options
        assert all(option in shown for option in options)
