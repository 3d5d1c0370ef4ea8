"""Stored JSON that outlives the release that wrote it: a format number, the bytes as they lie, readers for earlier formats.

A digest is always that of the stored bytes, never of the content serialised again: a later release that knows one more
field computes the same digest. What may change in which release is in ``docs/compatibility.md``.
"""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - pydantic looks annotations up
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from sluice import digest
from sluice.errors import SluiceError, first_line
from sluice.version import __version__


class NewerFormatError(SluiceError):
    """A later release wrote it, in a format that this one cannot read."""


def format_of(content: dict[str, Any], known: int, what: str, where: str = "") -> int:
    """The format number of stored JSON; 1 where it has none, as files before format 2 may have.

    Args:
        content: the JSON object.
        known: the newest format that this release reads.
        what: what it is, for the message, e.g. ``the verdict``.
        where: the file, for the message.

    Raises:
        NewerFormatError: the format is newer than that; names the release that wrote it.
        SluiceError: the number is not one.
    """
    number = content.get("format", 1)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise SluiceError(f"{what} has the format {number!r}, which is no format number", where=where)
    if number > known:
        raise newer(f"{what} has format {number}; this release reads up to format {known}", content, where)
    return number


def newer(what: str, content: dict[str, Any], where: str = "") -> NewerFormatError:
    """The error for content of a later release, which it names where it can."""
    writer = content.get("release")
    by = f"written by sluice {writer}, read by sluice {__version__}" if writer else f"read by sluice {__version__}"
    return NewerFormatError(f"{what} ({by})", where=where,
                            remedy=f"use sluice {writer or 'of the release that wrote it'}, or a later one")  # fmt: skip


class Stored(BaseModel):
    """A model that is stored as JSON and identified by the digest of its bytes.

    Reading keeps the bytes. A field that this release does not know is ignored: a change that an earlier release must not
    overlook comes with a new format number. A subclass gives the number as the default of `format`, and reads earlier
    formats in `upgrade`.

    Attributes:
        format: format number of what was stored.
        release: the sluice release that wrote it; empty where it was written before releases were recorded.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    WHAT: ClassVar[str] = "the file"
    INDENT: ClassVar[bool] = False
    """Whether it is laid out for people to read; canonical JSON otherwise."""

    format: int = 1
    release: str = __version__
    _content: bytes | None = PrivateAttr(None)

    @classmethod
    def parse(cls, content: bytes, where: str = "") -> Self:
        """Read stored bytes of any format up to this release's.

        Raises:
            NewerFormatError: a later release wrote it.
            ValueError: it is not JSON, or does not fit the model (pydantic's `ValidationError` is one).
        """
        plain = json.loads(content)
        if not isinstance(plain, dict):
            raise ValueError("a JSON object is expected")
        current = cls.model_fields["format"].default
        number = format_of(plain, current, cls.WHAT, where)
        parsed = cls.model_validate(plain if number == current else {**cls.upgrade(plain, number), "format": number})
        parsed._content = content
        return parsed

    @classmethod
    def upgrade(cls, content: dict[str, Any], number: int) -> dict[str, Any]:
        """Content of an earlier format as the current one has it.

        Raises:
            ValueError: it does not fit its format.
        """
        raise ValueError(f"format {number} is not known")

    def to_bytes(self) -> bytes:
        """The bytes as they were stored; for what was not, canonical JSON, or lines for people (`INDENT`)."""
        return self._content or self.as_bytes(self.model_dump(mode="json"))

    @classmethod
    def as_bytes(cls, content: dict[str, Any]) -> bytes:
        """Content as it is stored."""
        if cls.INDENT:
            return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
        return digest.canonical_json(content)

    @classmethod
    def read(cls, file: Path, remedy: str) -> Self:
        """Read a file of any format up to this release's.

        Args:
            file: it has to be there.
            remedy: what to do where it cannot be read.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: it cannot be read.
        """
        try:
            return cls.parse(file.read_bytes(), str(file))
        except ValueError as error:
            raise SluiceError(f"{cls.WHAT} cannot be read: {first_line(error)}", where=str(file), remedy=remedy) from error  # fmt: skip

    @property
    def digest(self) -> str:
        """Digest of the bytes."""
        return digest.of_bytes(self.to_bytes())

    def model_copy(self, **options: Any) -> Self:
        """A copy that was not stored yet."""
        copy = super().model_copy(**options)
        copy._content = None
        return copy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())
