"""Publishing: stage everywhere, append the entry (the commit point), publish everywhere.

Push and rollback go this way, and no other code writes to a destination. Cut off before the entry, nothing has
happened; cut off after it, whoever comes next publishes (`repair`). Where a destination refuses after the entry, the
others are undone and a further entry says so: several destinations are all or nothing as far as their systems allow.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError, first_line
from sluice.progress import progress
from sluice.promotion.destinations import base
from sluice.promotion.destinations.folder import REMOVED
from sluice.promotion.ledger import AbsentError, Entry, Kind, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sluice.promotion.destinations.base import Destination


class Staged:
    """A model that lies at every destination, out of sight.

    Attributes:
        name: under which it lies.
        digest: of what was copied; the same at every destination.
        places: the destinations.
    """

    def __init__(self, name: str, digest: str, places: list[Destination]) -> None:
        self.name, self.digest, self.places = name, digest, places

    def discard(self) -> None:
        """Remove it everywhere."""
        for place in self.places:
            place.discard(self.name)


@contextmanager
def staged(book: Ledger, model: Path, destinations: Sequence[str], champion: Entry | None) -> Iterator[Staged]:
    """Stage a model at every destination; what is still staged when the block fails is removed.

    Where the block fails after its entry was written all the same (the store's answer was lost, or it was interrupted),
    nothing is removed: the next run publishes it.

    Args:
        book: the ledger.
        model: its folder.
        destinations: their URIs.
        champion: the champion that the push rests on; its entry's number leads the staged name (see `retain`).

    Raises:
        SluiceError: the model changed while it was copied, or a destination cannot take it.
    """
    name = f"{champion.number if champion else 0}-{uuid.uuid4().hex}"
    here = Staged(name, "", [base.at(uri) for uri in destinations])
    if not here.places:
        raise SluiceError("no destination is given", remedy="name one in sluice.yaml: destination")
    try:
        digests = set()
        for place in here.places:
            progress(f"staging at {place.uri}")
            digests.add(place.stage(model, name))
        if len(digests) > 1:
            raise SluiceError("the model changed while it was copied", where=str(model), remedy="run the push again")
        here.digest = digests.pop()
        yield here
    except BaseException:
        if not book.commits(name):
            here.discard()
        raise


def publish(book: Ledger, entry: Entry, *, previous: Entry | None) -> Entry:
    """Publish what an entry commits to, at all of its destinations or at none.

    Args:
        book: the ledger.
        entry: the promotion or rollback.
        previous: the champion before it.

    Returns:
        The entry; or, where a destination refused, the one that withdraws it.
    """
    done: list[Destination] = []
    for place in _places(entry):
        progress(f"publishing version {entry.version} at {place.uri}")
        try:
            place.publish(entry.staged, entry.version, at_once=entry.kind is Kind.ROLLED_BACK)
        except Exception as error:
            return _withdraw(book, entry, previous, [*done, place], _told(place, error))
        done.append(place)
    return entry


def repair(book: Ledger, destinations: Sequence[str] = ()) -> Entry | None:
    """Bring the destinations to what the ledger says; returns the champion, if any.

    A push that was cut off after its entry is published; a withdrawal that was cut off is carried out.

    Args:
        book: the ledger.
        destinations: URIs besides those of the champion.

    Raises:
        SluiceError: a destination does not take it, or holds what this ledger knows nothing of; says what to do.
    """
    champion = book.champion()
    uris = (*(champion.destinations if champion else ()), *destinations)
    for place in [base.at(uri) for uri in dict.fromkeys(uris)]:
        versions = place.versions()
        champion = book.champion()  # read after the listing: what is listed and newer was withdrawn
        for version in versions:
            if version > (champion.version if champion else 0):
                _known(book, place, version)
                progress(f"withdrawing version {version} from {place.uri}")
                place.withdraw(version, champion.version if champion else None)
        ours = champion and champion.staged and place.uri in champion.destinations
        if champion and ours and not place.serves(champion.version):
            _finish(place, champion)
    return champion


def _known(book: Ledger, place: Destination, version: int) -> None:
    """Refuse to touch a version that this ledger did not publish."""
    try:
        book.version(version)
    except AbsentError:
        raise SluiceError(
            f"version {version} is published there, and this ledger ({book.store.uri}) knows nothing of it", where=place.uri,
            remedy="give the ledger that it was published by, or a destination of its own for this one",
        ) from None  # fmt: skip


def _finish(place: Destination, champion: Entry) -> None:
    """Publish what an entry commits to, and who wrote it could not.

    Raises:
        SluiceError: the destination does not take it.
    """
    progress(f"finishing the push of version {champion.version} at {place.uri}")
    try:
        place.publish(champion.staged, champion.version, at_once=champion.kind is Kind.ROLLED_BACK)
    except Exception as error:
        raise SluiceError(
            f"version {champion.version} is on record, but not published: {first_line(error)}", where=place.uri,
            remedy="when the destination is well again, run again; or roll back: sluice rollback",
        ) from error  # fmt: skip


def retain(book: Ledger, champion: Entry, keep: int) -> None:
    """Remove what no one needs: old versions, and what pushes that were cut off have left staged.

    A staged name leads with the number of the champion's entry that its push rests on. Once there is another champion that push
    cannot be committed any more, so that what it left can go.

    Args:
        book: the ledger.
        champion: the champion.
        keep: versions to keep; 0: all. The champion and the version served before it are kept always.
    """
    before = served_before(book, champion)
    for place in _places(champion):
        for name in place.staged():
            number = name.partition("-")[0]
            late = number.isdigit() and int(number) < champion.number
            if name.startswith(REMOVED) or (late and name not in (champion.staged, before.staged if before else "")):
                place.discard(name)
        versions = place.versions()
        kept = {champion.version, before.version if before else 0, *versions[-keep:]}
        for version in versions:
            if keep and version not in kept:
                progress(f"removing version {version} from {place.uri}")
                place.remove(version)


def served_before(book: Ledger, entry: Entry) -> Entry | None:
    """The entry whose version was served before another's, and is not the same model; found from champion to champion."""
    before = book.champion_before(entry)
    while before is not None and before.model == entry.model:
        before = book.champion_before(before)
    return before


def _places(entry: Entry) -> list[Destination]:
    return [base.at(uri) for uri in entry.destinations]


def _told(place: Destination, error: Exception) -> str:
    """Where something went wrong and what, in one line."""
    if isinstance(error, SluiceError):
        return f"{place.uri}: {error.what}" + (f"; {error.remedy}" if error.remedy else "")
    return f"{place.uri}: {first_line(error)}"


def _withdraw(book: Ledger, entry: Entry, previous: Entry | None, places: list[Destination], why: str) -> Entry:
    """Put on record that a version is not served after all, and undo its publication, the last destination first.

    Raises:
        SluiceError: what could not be undone.
    """
    served = f"version {previous.version} is served, as before" if previous else "nothing is served, as before"
    facts: dict[str, Any] = entry.model_dump(include={"use_case", "span", "run", "model", "destinations", "facts"})
    withdrawal = book.append(
        Kind.WITHDRAWN, **facts, withdraws=entry.number, restores=previous.number if previous else None,
        reasons=(f"version {entry.version} could not be published: {why}", served),
    )  # fmt: skip
    failed = []
    for place in reversed(places):
        try:
            place.withdraw(entry.version, previous.version if previous else None)
        except Exception as error:
            failed.append(_told(place, error))
    for place in _places(entry):
        try:
            place.discard(entry.staged)
        except Exception as error:
            failed.append(f"{_told(place, error)} (what was staged)")
    if failed:
        raise SluiceError(f"version {entry.version} was withdrawn ({why}), and could not be undone at " + "; ".join(failed),
                          where=book.store.uri, remedy="the next push tries again; until then it may be served there")  # fmt: skip
    return withdrawal
