"""The files of an artifact as its manifest lists them, and the check that what is read is what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from sluice import digest
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


class Part(BaseModel):
    """One file of an artifact.

    Attributes:
        name: its path in the artifact's folder, relative, POSIX.
        digest: sha256 of its bytes.
        bytes: its size.
        rows: rows that it holds; None where it holds none (a JSON file).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    digest: str
    bytes: int
    rows: int | None = None


def describe(folder: Path, file: Path, rows: int | None = None) -> Part:
    """The part that a file of an artifact is now."""
    return Part(name=file.relative_to(folder).as_posix(), digest=digest.of_file(file), bytes=file.stat().st_size, rows=rows)  # fmt: skip


def check_names(folder: Path, listed: Iterable[Part], there: Iterable[Path], remedy: str) -> None:
    """The files that are there are those that are listed.

    Args:
        folder: the artifact's.
        listed: what its manifest lists.
        there: the files that are there.
        remedy: what to do otherwise.

    Raises:
        SluiceError: a file was removed or added.
    """
    names = {part.name for part in listed}
    found = {file.relative_to(folder).as_posix() for file in there}
    if missing := sorted(names - found):
        raise SluiceError(f"{missing[0]} is missing{_more(missing)}: it was removed after the artifact was written",
                          where=str(folder), remedy=remedy)  # fmt: skip
    if extra := sorted(found - names):
        raise SluiceError(f"{extra[0]} is not listed{_more(extra)}: it was added after the artifact was written",
                          where=str(folder), remedy=remedy)  # fmt: skip


def check(folder: Path, part: Part, remedy: str) -> None:
    """A file has the size and the sha256 that are listed.

    Raises:
        SluiceError: it is missing, or was changed or swapped; says what was expected and what is there.
    """
    file = folder / part.name
    if not file.is_file():
        check_names(folder, [part], [], remedy)
    if (size := file.stat().st_size) != part.bytes:
        raise _changed(folder, part, f"{part.bytes:,} bytes", f"{size:,}", remedy)
    if (found := digest.of_file(file)) != part.digest:
        raise _changed(folder, part, part.digest, found, remedy)


def check_rows(folder: Path, part: Part, rows: int, remedy: str) -> None:
    """A file holds the rows that are listed.

    Raises:
        SluiceError: it holds more or fewer.
    """
    if rows != part.rows:
        raise _changed(folder, part, f"{part.rows or 0:,} rows", f"{rows:,}", remedy)


def _changed(folder: Path, part: Part, expected: str, found: str, remedy: str) -> SluiceError:
    return SluiceError(f"{part.name} was changed after it was written: {expected} expected, {found} found", where=str(folder), remedy=remedy)  # fmt: skip


def _more(names: Collection[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
