"""Resolve: what is served now, and what it was trained on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion.destinations import base
from sluice.promotion.ledger import Entry, Ledger
from sluice.promotion.publish import repair

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
    champion = repair(ledger)
    if champion is None:
        for folder in (model_out, statistics_out, schema_out):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / NONE_FILE).write_text(json.dumps({"champion": None, "ledger": ledger_uri}) + "\n")
        return None
    first = champion.destinations[0]
    base.at(first).fetch(champion.version, model_out)
    if digest.of_tree(model_out) != champion.model:
        raise SluiceError(f"the published version {champion.version} is not the model that the ledger records",
                          where=first, remedy="roll back to an earlier version: sluice rollback")  # fmt: skip
    ledger.fetch(champion.evidence["statistics"], statistics_out)
    ledger.fetch(champion.evidence["schema"], schema_out)
    return champion
