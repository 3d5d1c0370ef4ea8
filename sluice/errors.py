"""The one error that people read."""

from __future__ import annotations

import re


class SluiceError(Exception):
    """A mistake in the input, said to a person: what is wrong, where, and what would be right.

    Commands and stages print the message and exit with status 1; a traceback is kept for defects of our own.

    Example:
        >>> raise SluiceError("label 'late' is not a column of the source", where="sluice.yaml: label",
        ...                   remedy="name one of: delayed, distance")

    Attributes:
        what: what was seen.
        where: file and path inside it, artifact, or URI; empty where there is no place to point to.
        remedy: what would settle it; empty where nothing can be advised.
        exit_status: of the command that it ends: 1 for a mistake, 7 where the same command may succeed later.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(what, where, remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.remedy}" if self.remedy else text


def shorten(text: str, width: int) -> str:
    """A text of at most so many characters, cut between words where it has any, with ``...`` where something was cut."""
    text = text.strip()
    if len(text) <= width:
        return text
    start = text[: width - 3]
    words = start.rpartition(" ")[0] if text[width - 3] != " " else start
    return f"{(words if len(words) > width // 2 else start).rstrip()}..."


def first_line(error: BaseException) -> str:
    """What another library's error says first (Keras and the stores go on for many lines), without colours."""
    return re.sub(r"\x1b\[\d*m", "", str(error)).strip().partition("\n")[0]
