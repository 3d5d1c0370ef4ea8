"""Sources: where the data is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from sluice.config.base import Strict


class Source(Strict):
    """A table, or a family of tables, one a span.

    Attributes:
        uri: path or URI; ``{SPAN}`` stands for the span's number, a glob for many files.
        format: how it is written; ``auto`` goes by the name.
        window: how many spans a run reads where it is not told (``next``, ``latest``).
    """

    uri: str = Field(min_length=1)
    format: Literal["auto", "parquet", "csv", "json"] = "auto"
    window: int = Field(default=1, ge=1)

    @field_validator("uri")
    @classmethod
    def _one_span(cls, uri: str) -> str:
        if uri.count("{SPAN}") > 1:
            raise ValueError("{SPAN} may stand once in a URI")
        return uri
