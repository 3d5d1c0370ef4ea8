"""Rollback: publish an earlier blessed version again, by the same path as a push; itself an entry of the ledger."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion import destination as destinations
from sluice.promotion.ledger import Entry, Kind, Ledger, OutrunError
from sluice.promotion.resolve import repair


def rollback(ledger: str, *, reason: str, by: str, to: int | None = None) -> Entry:
    """Make an earlier version the champion again, under a new number.

    Args:
        ledger: URI of the ledger.
        reason: why, for the record.
        by: who.
        to: the version; None: the one that was served before the champion.

    Returns:
        The entry.

    Raises:
        SluiceError: there is no such version, it is the champion, or what is published is not what the ledger says.
    """
    book = Ledger.at(ledger)
    champion = book.champion()
    if champion is None:
        raise SluiceError("there is no champion to roll back from", where=ledger)
    repair(champion)
    target = _target(book, champion, to)
    place = destinations.at(target.destination)
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        if not place.has(target.number):
            raise SluiceError(f"version {target.number} is no longer published", where=target.destination,
                              remedy="name another with --to; see `sluice ledger log`")  # fmt: skip
        place.fetch(target.number, model)
        if digest.of_tree(model) != target.model:
            raise SluiceError(f"the published version {target.number} is not the model that the ledger records",
                              where=target.destination, remedy="name another with --to; see `sluice ledger log`")  # fmt: skip
        staged = place.stage(model)
    try:
        entry = book.append(
            Kind.ROLLED_BACK, after=champion, staged=staged, restores=target.number, reasons=(f"{by}: {reason}",),
            **target.model_dump(include={"use_case", "model", "destination", "verdicts", "evidence", "policies"}),
        )  # fmt: skip
    except OutrunError:
        place.discard(staged)
        raise
    place.publish(staged, entry.number)
    return entry


def _target(book: Ledger, champion: Entry, to: int | None) -> Entry:
    """The entry to return to; a rollback stands for the version that it restored."""
    if to is None:
        earlier = next((e for e in book.entries() if e.number < champion.number and e.kind is not Kind.REFUSED
                        and e.model != champion.model), None)  # fmt: skip
        if earlier is None:
            raise SluiceError("no other version was served before the champion", where=book.store.uri)
        return earlier
    target = book.entry(to)
    if target.kind is Kind.REFUSED:
        raise SluiceError(
            f"entry {to} is a refusal: it was never served", where=book.store.uri, remedy="see `sluice ledger log`"
        )
    if target.model == champion.model:
        raise SluiceError(f"version {to} is what version {champion.number} serves already", where=book.store.uri)
    return target
