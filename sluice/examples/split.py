"""Splits: which row goes where.

A row's split is a function of its key columns' values alone (of all its columns where none are chosen): the same on
every platform, in every order, in every file. Version 1 of the hash: each value in its canonical text (DuckDB's
cast to VARCHAR; NULL as the single byte 0x00), joined by 0x1F; the first 15 hexadecimal digits of the MD5 of that
text, as an integer, over 2**60, gives a point in [0, 1); the splits share that interval in the order and proportion
of their weights.
"""

from __future__ import annotations

from itertools import accumulate

from pydantic import Field, field_validator

from sluice.config.base import Strict

HASH_VERSION = 1


class Split(Strict):
    """How rows are divided.

    Attributes:
        ratios: split name to weight; ``train`` and ``eval`` are what training needs.
        keys: columns whose values decide; all rows with equal keys fall in one split. Empty: the whole row.
    """

    ratios: dict[str, float] = Field(default={"train": 4.0, "eval": 1.0})
    keys: list[str] = Field(default_factory=list)

    @field_validator("ratios")
    @classmethod
    def _positive(cls, ratios: dict[str, float]) -> dict[str, float]:
        if not ratios or any(weight <= 0 for weight in ratios.values()):
            raise ValueError("give each split a weight above 0, e.g. {train: 4, eval: 1}")
        if bad := [name for name in ratios if not name.isidentifier()]:
            raise ValueError(f"split names are folder names of letters, digits and _: {', '.join(bad)}")
        return ratios

    def bounds(self) -> dict[str, float]:
        """Split name to the upper end of its part of [0, 1)."""
        total = sum(self.ratios.values())
        return {name: end / total for name, end in zip(self.ratios, accumulate(self.ratios.values()), strict=True)}
