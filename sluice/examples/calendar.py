"""The numbers of spans that are days, months or years, counted from 1970, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sluice.errors import SluiceError

DATES = ("{YYYY}", "{MM}", "{DD}")
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Calendar:
    """How a URI's spans are counted.

    Attributes:
        places: the placeholders that make up a span: ``{SPAN}``, or one to three of a date's.
    """

    places: tuple[str, ...]

    @classmethod
    def of(cls, uri: str) -> Calendar:
        """That of a URI."""
        return cls(tuple(place for place in DATES if place in uri) or ("{SPAN}",))

    @property
    def example(self) -> str:
        """Spans as one writes them."""
        parts = len(self.places)
        return (
            "4, 2-4, 2-4,6"
            if self.places == ("{SPAN}",)
            else f"{'20260131'[: 2 + 2 * parts]}, or a first and a last one joined by -"
        )

    def number(self, text: str, where: str = "span") -> int:
        """A span's number.

        Args:
            text: as written: digits; for a date year, month and day as far as they go, e.g. ``202601``.
            where: where it stands.

        Raises:
            SluiceError: it is none.
        """
        if self.places == ("{SPAN}",):
            if not text.isdigit():
                raise SluiceError(f"{text!r} is not a span's number", where=where, remedy="write digits")
            return int(text)
        try:
            if len(text) != 2 + 2 * len(self.places):
                raise ValueError
            year, month, day = int(text[:4]), int(text[4:6] or 1), int(text[6:8] or 1)
            when = date(year, month, day)
        except ValueError:
            raise SluiceError(f"{text!r} is no date as {''.join(self.places)} has it", where=where,
                              remedy=f"write {self.example}") from None  # fmt: skip
        return [year - EPOCH.year, 12 * (year - EPOCH.year) + month - 1, (when - EPOCH).days][len(self.places) - 1]

    def label(self, number: int) -> str:
        """A span as it is written."""
        if self.places == ("{SPAN}",):
            return str(number)
        if len(self.places) == 3:
            return (EPOCH + timedelta(days=number)).strftime("%Y%m%d")
        if len(self.places) == 2:
            return f"{EPOCH.year + number // 12}{number % 12 + 1:02d}"
        return str(EPOCH.year + number)
