"""Rollback: publish an earlier blessed version again, by the same path as a push; itself an entry of the ledger."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.promotion.destinations import base
from sluice.promotion.ledger import Entry, Kind, Ledger, OutrunError
from sluice.promotion.publish import publish, served_before, staged

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    target = _target(book, champion, to)
    uri = target.destinations[0]
    place = base.at(uri)
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        if target.version not in place.versions():
            raise SluiceError(f"version {target.version} is no longer published", where=uri,
                              remedy="name another with --to; see `sluice ledger log`")  # fmt: skip
        place.fetch(target.version, model)
        with _outrun(ledger), staged(book, model, champion.destinations, champion) as here:
            if here.digest != target.model:
                raise SluiceError(f"the published version {target.version} is not the model that the ledger records",
                                  where=uri, remedy="name another with --to; see `sluice ledger log`")  # fmt: skip
            entry = book.append(
                Kind.ROLLED_BACK, after=champion, staged=here.name, restores=target.number, reasons=(f"{by}: {reason}",),
                destinations=champion.destinations, facts={"by": by},
                **target.model_dump(include={"use_case", "model", "verdicts", "evidence", "policies"}),
            )  # fmt: skip
    return publish(book, entry, previous=champion)


@contextmanager
def _outrun(ledger: str) -> Iterator[None]:
    """Tell a person that someone was faster."""
    try:
        yield
    except OutrunError as error:
        raise SluiceError(
            error.what, where=ledger, remedy="see `sluice ledger log`, and roll back again if it is still needed"
        ) from None


def _target(book: Ledger, champion: Entry, to: int | None) -> Entry:
    """The entry to return to; a rollback stands for the version that it restored, so that the next goes further back."""
    if to is None:
        original = champion
        while original.restores:
            original = book.entry(original.restores)
        earlier = served_before(book, original)
        if earlier is None:
            of = f"version {original.version}" + (
                f", which version {champion.version} is" if original != champion else ""
            )
            raise SluiceError(f"no other version was served before {of}", where=book.store.uri,
                              remedy="name one with --to; see `sluice ledger log`")  # fmt: skip
        return earlier
    target = book.version(to)
    if target.model == champion.model:
        raise SluiceError(f"version {to} is what version {champion.version} serves already", where=book.store.uri)
    return target
