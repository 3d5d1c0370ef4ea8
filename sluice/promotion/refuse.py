"""Refuse: a gate stayed closed; put on record that it did, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.gates.verdict import Verdict
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.notes import notes

if TYPE_CHECKING:
    from pathlib import Path


def refuse(*, verdict: Path, ledger: str, run: dict[str, Any]) -> Entry:
    """Append a refusal with the verdict's reasons.

    Args:
        verdict: folder of the verdict that kept its gate closed.
        ledger: URI of the ledger.
        run: facts for the record: ``use_case``, ``span``, ``run``, ``facts``.
    """
    record: dict[str, Any] = dict(run)
    judged, book = Verdict.load(verdict), Ledger.at(ledger)
    return book.append(
        Kind.REFUSED, **record, model=judged.subjects.get("model", ""), verdicts={judged.gate: judged.digest},
        policies={judged.gate: judged.policy_digest}, evidence={f"verdict-{judged.gate}": book.keep(verdict)},
        notes=notes([judged]), reasons=tuple(reason.sentence for reason in judged.reasons if reason.closes),
    )  # fmt: skip
