"""Route: give the champion another share of the traffic, on record."""

from __future__ import annotations

from sluice.errors import SluiceError
from sluice.promotion.destinations import base
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.publish import repair


def route(ledger: str, *, percent: int, reason: str, by: str) -> Entry:
    """Give the champion so much of the traffic at every destination that routes any.

    Args:
        ledger: URI of the ledger.
        percent: the champion's share, 1 to 100; the rest stays with the version before.
        reason: why, for the record.
        by: who.

    Raises:
        SluiceError: there is no champion, or none of its destinations routes traffic.
    """
    book = Ledger.at(ledger)
    champion = repair(book)
    if champion is None:
        raise SluiceError("there is no champion", where=ledger, remedy="run the training pipeline: sluice run")
    routed = []
    for uri in champion.destinations:
        if base.routes(uri):
            base.router(uri).route(champion.version, percent)
            routed.append(uri)
    if not routed:
        raise SluiceError("none of its destinations routes traffic: a folder's server takes the newest version",
                          where=", ".join(champion.destinations), remedy="use a vertex:// or kserve:// destination")  # fmt: skip
    return book.append(
        Kind.ROUTED, use_case=champion.use_case, model=champion.model, destinations=tuple(routed),
        reasons=(f"{by}: {reason}", f"version {champion.version} has {percent} % of the traffic"),
        facts={"by": by, "percent": str(percent)},
    )  # fmt: skip
