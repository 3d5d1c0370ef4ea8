"""Rollback: an earlier version is served again, whole, under a new number; what was never served is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion.destinations import base
from sluice.promotion.ledger import Kind, Ledger
from sluice.promotion.resolve import resolve
from sluice.promotion.rollback import rollback


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Two promotions with a refusal between."""
    book, place = Ledger.at(str(tmp_path / "ledger")), base.at(str(tmp_path / "published"))
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "file").write_text("x")
    kept = {name: book.keep(tmp_path / "evidence") for name in ("statistics", "schema")}
    for text in ("one", "refused", "three"):
        model = tmp_path / text
        model.mkdir()
        (model / "saved_model.pb").write_text(text)
        if text == "refused":
            book.append(Kind.REFUSED, model=digest.of_tree(model))
            continue
        staged = f"0-{text}"
        place.stage(model, staged)
        entry = book.append(
            Kind.PROMOTED,
            after=book.champion(),
            model=digest.of_tree(model),
            destinations=(str(tmp_path / "published"),),
            staged=staged,
            evidence=kept,
        )
        place.publish(staged, entry.version)
    return book


def test_the_version_before_is_served_again(ledger: Ledger, tmp_path: Path) -> None:
    entry = rollback(ledger.store.uri, reason="worse since Monday", by="ann")
    assert (entry.number, entry.version, entry.kind, entry.restores) == (4, 3, Kind.ROLLED_BACK, 1)
    assert entry.reasons == ("ann: worse since Monday",)
    assert (tmp_path / "published" / "3" / "saved_model.pb").read_text() == "one"
    assert ledger.champion() == entry
    assert ledger.verify() == []
    outs = {f"{name}_out": tmp_path / "got" / name for name in ("model", "statistics", "schema")}
    assert resolve(ledger.store.uri, **outs) == entry


def test_and_forward_again(ledger: Ledger) -> None:
    rollback(ledger.store.uri, reason="worse since Monday", by="ann")
    assert rollback(ledger.store.uri, reason="it was the weather", by="ann", to=2).restores == 3


def test_a_second_rollback_goes_further_back(ledger: Ledger, tmp_path: Path) -> None:
    model, place = tmp_path / "four", base.at(str(tmp_path / "published"))
    model.mkdir()
    (model / "saved_model.pb").write_text("four")
    place.stage(model, "3-four")
    champion = ledger.entry(3)
    kept = champion.model_dump(include={"destinations", "evidence"})
    ledger.append(Kind.PROMOTED, after=champion, model=digest.of_tree(model), staged="3-four", **kept)
    place.publish("3-four", 3)
    assert rollback(ledger.store.uri, reason="worse", by="ann").restores == 3
    assert rollback(ledger.store.uri, reason="and so was that", by="ann").restores == 1
    with pytest.raises(SluiceError, match="no other version was served before version 1, which version 5 is"):
        rollback(ledger.store.uri, reason="and that", by="ann")


def test_a_rollback_that_is_outrun_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    first, append = ledger.entry(1), Ledger.append
    monkeypatch.setattr(Ledger, "append", lambda self, kind, *, after, **rest: append(self, kind, after=first, **rest))
    with pytest.raises(SluiceError, match=r"it is now version 2\n  see `sluice ledger log`, and roll back again"):
        rollback(ledger.store.uri, reason="worse", by="ann")


@pytest.mark.parametrize(("to", "message"), [(0, "no version 0"), (2, "serves already"), (3, "no version 3")])
def test_what_cannot_be_rolled_back_to(ledger: Ledger, to: int, message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        rollback(ledger.store.uri, reason="a reason", by="ann", to=to)
    assert ledger.numbers() == [1, 2, 3]


def test_a_version_that_was_changed_or_removed_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "published" / "1" / "saved_model.pb"
    file.write_text("changed")
    with pytest.raises(SluiceError, match="is not the model that the ledger records"):
        rollback(ledger.store.uri, reason="a reason", by="ann")
    file.unlink()
    file.parent.rmdir()
    with pytest.raises(SluiceError, match="is no longer published"):
        rollback(ledger.store.uri, reason="a reason", by="ann")
    assert not list((tmp_path / "published").glob(".staging/*"))


def test_the_command(ledger: Ledger, tmp_path: Path) -> None:
    sluice = str(Path(sys.executable).with_name("sluice"))
    given = [sluice, "rollback", "--reason", "worse", "--by", "ann", "--ledger", ledger.store.uri]
    done = subprocess.run(given, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "version 3 is the champion: it is version 1 again" in done.stdout


def test_policies_are_adopted_by_name_and_with_a_reason(tmp_path: Path) -> None:
    sluice, flights = str(Path(sys.executable).with_name("sluice")), Path(__file__).parents[2] / "examples" / "flights"
    given = ["--config", str(flights), "--set", f"ledger={tmp_path / 'ledger'}"]

    def said(*arguments: str) -> str:
        done = subprocess.run([sluice, *arguments, *given], capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.stdout + done.stderr

    assert "entry 1: these policies are in force" in said("adopt", "--reason", "first", "--by", "ann")
    assert "are in force already, since entry 1" in said("adopt", "--reason", "again", "--by", "ann")
    weaker = ["--set", "policies.data.min_rows=10"]
    assert "the data policy is not the one in force since entry 1 (min_rows: 1000 -> 10)" in said("run", *weaker)
    assert "data: min_rows: 1000 -> 10" in said("adopt", "--reason", "small months", "--by", "ann", *weaker)
    assert (
        "there is no champion"
        in subprocess.run(
            [sluice, "route", "50", "--reason", "?", "--ledger", str(tmp_path / "ledger")],
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )


def test_a_reason_has_to_be_given(tmp_path: Path) -> None:
    given = [str(Path(sys.executable).with_name("sluice")), "rollback", "--reason", " ", "--ledger", str(tmp_path)]
    done = subprocess.run(given, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "say why" in done.stderr


def test_a_store_that_does_not_answer_is_told(tmp_path: Path) -> None:
    sluice = str(Path(sys.executable).with_name("sluice"))
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
               "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "PATH": os.environ["PATH"]}  # fmt: skip
    for uri, said in (
        ("s3://bucket/ledger", "the store says: Generic S3 error"),
        ("/proc/no/ledger", "cannot be made"),
    ):
        done = subprocess.run(
            [sluice, "ledger", "log", "--ledger", uri], capture_output=True, text=True, check=False, env=nowhere
        )
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 2
