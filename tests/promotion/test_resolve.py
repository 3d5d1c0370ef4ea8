"""Resolve and repair: the champion is what the ledger says; a push that was cut off is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion.destinations import base
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.resolve import NONE_FILE, resolve


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "weights").write_bytes(b"1234")
    return folder


def outs(tmp_path: Path, name: str) -> dict[str, Path]:
    return {f"{part}_out": tmp_path / name / part for part in ("model", "statistics", "schema")}


def committed(tmp_path: Path, model: Path, place: str) -> Entry:
    """An entry whose model is staged and not yet published: a push cut off in between."""
    ledger = Ledger.at(str(tmp_path / "ledger"))
    evidence = {}
    for name in ("statistics", "schema"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        evidence[name] = ledger.keep(tmp_path / name)
    staged = "0-staged"
    base.at(place).stage(model, staged)
    return ledger.append(
        Kind.PROMOTED, after=None, model=digest.of_tree(model), destinations=(place,), staged=staged, evidence=evidence
    )


def test_no_champion(tmp_path: Path) -> None:
    assert resolve(str(tmp_path / "ledger"), **outs(tmp_path, "got")) is None
    assert (tmp_path / "got" / "schema" / NONE_FILE).exists()


def test_a_push_that_was_cut_off_is_finished(tmp_path: Path, model: Path) -> None:
    place = str(tmp_path / "published")
    entry = committed(tmp_path, model, place)
    assert not (tmp_path / "published" / "1").exists()
    assert resolve(str(tmp_path / "ledger"), **outs(tmp_path, "got")) == entry
    assert digest.of_tree(tmp_path / "published" / "1") == digest.of_tree(tmp_path / "got" / "model") == entry.model
    assert (tmp_path / "got" / "statistics" / "file").read_text() == "statistics"
    assert resolve(str(tmp_path / "ledger"), **outs(tmp_path, "again")) == entry


def test_a_published_model_that_was_changed_is_refused(tmp_path: Path, model: Path) -> None:
    committed(tmp_path, model, str(tmp_path / "published"))
    resolve(str(tmp_path / "ledger"), **outs(tmp_path, "got"))
    (tmp_path / "published" / "1" / "saved_model.pb").write_bytes(b"grapf")
    with pytest.raises(SluiceError, match="is not the model that the ledger records"):
        resolve(str(tmp_path / "ledger"), **outs(tmp_path, "again"))


def test_what_is_staged_is_out_of_sight_and_can_be_discarded(tmp_path: Path, model: Path) -> None:
    place = base.at(str(tmp_path / "published"))
    assert place.stage(model, "0-x") == digest.of_tree(model)
    assert [path.name for path in (tmp_path / "published").iterdir()] == [".staging"]
    assert (place.staged(), place.versions()) == (["0-x"], [])
    place.discard("0-x")
    place.discard("0-x")
    assert place.staged() == []
