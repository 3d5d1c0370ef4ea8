"""The interface of a destination, and which module stands for which scheme.

A model is staged first (whole, and under a name that no server looks at), then published under its version. Staging is
where most things can fail, and nothing is decided yet; publishing is short, and done again it changes nothing, so that
a push that was cut off is finished by whoever comes next. A new kind of destination is a class with these methods and
a line in `KINDS`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, urlsplit

from sluice import storage
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "vertex": "sluice.promotion.destinations.vertex:VertexModel",
    "kserve": "sluice.promotion.destinations.kserve:InferenceService",
}
"""Scheme to class; every other scheme is a folder."""


class Destination(Protocol):
    """Where versions are published."""

    @property
    def uri(self) -> str:
        """As the use case has it."""

    def stage(self, model: Path, name: str) -> str:
        """Copy a model there under a name, out of servers' sight; returns the digest of what was copied.

        Raises:
            SluiceError: the destination cannot take it; what was copied so far may be left, see `discard`.
        """

    def discard(self, name: str) -> None:
        """Remove what is staged under a name; nothing happens where nothing is."""

    def staged(self) -> list[str]:
        """Names under which something is staged."""

    def publish(self, name: str, version: int, *, at_once: bool = False) -> None:
        """Publish what is staged as a version and give it its share of the traffic; what was done is not done again.

        Args:
            name: under which it is staged.
            version: its number.
            at_once: give it all of the traffic, whatever share the URI has for a new version.
        """

    def serves(self, version: int) -> bool:
        """Whether `publish` came to its end for this version."""

    def withdraw(self, version: int, previous: int | None) -> None:
        """Undo `publish`: serve the previous version again (None: nothing), and remove this one."""

    def fetch(self, version: int, out: Path) -> None:
        """Get a published version's files."""

    def versions(self) -> list[int]:
        """Versions whose files are there, whole, ascending."""

    def remove(self, version: int) -> None:
        """Remove a version; one that has traffic is left."""


def at(uri: str) -> Destination:
    """The destination at a URI.

    Raises:
        SluiceError: the URI does not fit its kind.
    """
    from sluice.promotion.destinations.folder import LocalFolder, ObjectStore

    if routes(uri):
        return router(uri)
    if storage.is_local(uri):
        return LocalFolder(uri, storage.local_path(uri))
    return ObjectStore(uri, storage.Store.at(uri))


class Router(Destination, Protocol):
    """A destination that gives versions shares of the traffic."""

    def route(self, version: int, percent: int) -> None:
        """Give a version so much of the traffic, the rest to the one before."""


def routes(uri: str) -> bool:
    """Whether the destination at a URI routes traffic."""
    return urlsplit(uri).scheme in KINDS


def router(uri: str) -> Router:
    """The destination at a URI, which routes traffic."""
    module, _, name = KINDS[urlsplit(uri).scheme].partition(":")
    made: Router = getattr(importlib.import_module(module), name).at(uri)
    return made


def options(uri: str, *, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, str]:
    """The options in a URI's query.

    Raises:
        SluiceError: one is unknown, twice there, or missing.
    """
    pairs = parse_qsl(urlsplit(uri).query, keep_blank_values=True)
    given = dict(pairs)
    known = ", ".join((*required, *optional))
    for name in given:
        if name not in (*required, *optional):
            raise SluiceError(f"unknown option {name!r}", where=uri, remedy=f"options: {known}")
    if len(given) != len(pairs):
        raise SluiceError("an option is given twice", where=uri)
    for name in required:
        if not given.get(name):
            raise SluiceError(
                f"the option {name!r} is missing", where=uri, remedy=f"write ...?{name}=...; options: {known}"
            )
    return given


def percent(given: dict[str, str], name: str, uri: str) -> int:
    """An option that is a percentage of the traffic; 100 where it is not given.

    Raises:
        SluiceError: it is not a whole number from 1 to 100.
    """
    text = given.get(name, "100")
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise SluiceError(
            f"{name}={text} is no share of the traffic", where=uri, remedy="give a whole number from 1 to 100"
        )
    return int(text)
