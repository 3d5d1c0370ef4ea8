"""Ledgers of earlier releases: read, verified, resolved, pushed on, rolled back and verified again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sluice import digest
from sluice.config.load import load
from sluice.errors import SluiceError
from sluice.promotion import approved_policies
from sluice.promotion.ledger import SERVED, Kind, Ledger
from sluice.promotion.refuse import refuse
from sluice.promotion.resolve import resolve
from sluice.promotion.rollback import rollback
from tests.promotion import made

RELEASES = sorted(path.name for path in Path(__file__).parent.iterdir() if (path / "expected.json").exists())


@pytest.fixture(params=RELEASES)
def expected(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a release wrote, copied to the current folder, to which its URIs are relative; and what is to be found in it."""
    folder = tmp_path / request.param
    shutil.copytree(Path(__file__).parent / request.param, folder)
    monkeypatch.chdir(folder)
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


def candidate(tmp_path: Path, name: str) -> made.Candidate:
    """A candidate under the policies of the frozen use case."""
    one = made.candidate(tmp_path / name, name)
    one.policies = load(Path("sluice.yaml")).policies.model_dump(mode="json")
    return one


def test_every_entry_is_read_as_it_was_meant(expected: dict[str, Any]) -> None:
    ledger = Ledger.at("ledger")
    entries = list(ledger.entries())[::-1]
    assert ledger.verify() == []
    assert [entry.kind.value for entry in entries] == expected["kinds"]
    assert [entry.digest for entry in entries] == expected["digests"]
    assert [entry.version for entry in entries if entry.kind in SERVED] == expected["versions"]
    for version in expected["versions"]:
        assert ledger.version(version).version == version
    champion = ledger.champion()
    assert champion is not None
    assert (champion.version, champion.model) == (expected["champion"], expected["model"])
    assert champion.destinations == ("published",)


def test_the_champion_is_resolved(expected: dict[str, Any], tmp_path: Path) -> None:
    out = {f"{name}_out": tmp_path / "resolved" / name for name in ("model", "statistics", "schema")}
    champion = resolve("ledger", **out)
    assert champion is not None
    assert champion.version == expected["champion"]
    assert digest.of_tree(out["model_out"]) == expected["model"]


def test_its_policies_are_in_force_and_refuse_no_push(expected: dict[str, Any], tmp_path: Path) -> None:
    approved_policies.check("ledger", load(Path("sluice.yaml")).policies.model_dump(mode="json"))
    weaker = candidate(tmp_path, "weaker").policies | {"data": {"min_rows": 10}}
    with pytest.raises(SluiceError, match=r"min_rows: 300 -> 10\)"):
        approved_policies.check("ledger", weaker)


def test_everything_is_written_on_and_verified_again(expected: dict[str, Any], tmp_path: Path) -> None:
    ledger, highest = Ledger.at("ledger"), max(expected["versions"])
    one = candidate(tmp_path, "new")
    pushed = one.judged_and_pushed("ledger", "published")
    assert (pushed.kind, pushed.version, pushed.number) == (Kind.PROMOTED, highest + 1, len(expected["kinds"]) + 1)
    assert refuse(verdict=one.verdicts()["data"], ledger="ledger", run={"use_case": "frozen"}).version == 0
    back = rollback("ledger", reason="the frozen one was better", by="ann")
    assert (back.version, back.model) == (highest + 2, expected["model"])
    oldest = min(expected["versions"])
    assert rollback("ledger", to=oldest, reason="the first", by="ann").model == ledger.version(oldest).model
    approved_policies.adopt("ledger", {**one.policies, "data": {}}, reason="more rows", by="ann")
    assert candidate(tmp_path, "other").judged_and_pushed("ledger", "published").kind is Kind.REFUSED
    assert ledger.verify() == []
    published = sorted(int(path.name) for path in Path("published").iterdir() if path.name.isdigit())
    assert published == [*expected["published"], highest + 1, highest + 2, highest + 3]


def test_an_edited_entry_of_an_earlier_release_is_found(expected: dict[str, Any]) -> None:
    Ledger.at("ledger").append(Kind.REFUSED, reasons=("too few rows",))  # holds the digest of the last one
    for number in range(1, len(expected["kinds"]) + 1):
        file = Path(f"ledger/entries/{number:08d}.json")
        stored = file.read_bytes()
        file.write_bytes(digest.canonical_json(json.loads(stored) | {"time": "2026-01-01T00:00:00+00:00"}))
        problem = f"entry {number + 1} does not follow from entry {number}: one of the two was changed"
        assert Ledger.at("ledger").verify() == [problem]
        file.write_bytes(stored)


@pytest.mark.parametrize("expected", ["f727216"], indirect=True)
def test_format_1_is_frozen(expected: dict[str, Any]) -> None:
    file = Path("ledger/entries/00000001.json")
    file.write_bytes(digest.canonical_json(json.loads(file.read_text()) | {"cost": 3}))
    assert "entry 1 cannot be read (ValidationError)" in Ledger.at("ledger").verify()
