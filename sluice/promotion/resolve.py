"""Resolve: what is served now, and what it was trained on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion import destination
from sluice.promotion.ledger import Entry, Ledger

if TYPE_CHECKING:
    from pathlib import Path

NONE_FILE = "none.json"


def resolve(ledger_uri: str, *, model_out: Path, statistics_out: Path, schema_out: Path) -> Entry | None:
    """Fetch the champion's model, statistics and schema; where there is none, ``none.json`` stands in each folder.

    A push that was cut off after its entry was written is finished first.

    Raises:
        SluiceError: what is published is not what the ledger says.
    """
    ledger = Ledger.at(ledger_uri)
    champion = ledger.champion()
    if champion is None:
        for folder in (model_out, statistics_out, schema_out):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / NONE_FILE).write_text(json.dumps({"champion": None, "ledger": ledger_uri}) + "\n")
        return None
    repair(champion)
    destination.at(champion.destination).fetch(champion.number, model_out)
    if digest.of_tree(model_out) != champion.model:
        raise SluiceError(f"the published version {champion.number} is not the model that the ledger records",
                          where=champion.destination, remedy="roll back to an earlier version: sluice rollback")  # fmt: skip
    ledger.fetch(champion.evidence["statistics"], statistics_out)
    ledger.fetch(champion.evidence["schema"], schema_out)
    return champion


def repair(champion: Entry | None) -> None:
    """Finish a push that was cut off between its entry and its publication."""
    if champion and champion.staged:
        place = destination.at(champion.destination)
        if not place.has(champion.number):
            place.publish(champion.staged, champion.number)
