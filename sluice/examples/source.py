"""Sources: where the data is, how it is written, and how much of it may be malformed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from sluice.config.base import Strict

Kind = Literal["int64", "double", "bool", "string", "timestamp[us]"]


class Dialect(Strict):
    """How a CSV file is written.

    Attributes:
        delimiter: one character; ``auto`` finds it (a tab in ``.tsv``).
        quote: what stands around text that holds the delimiter; empty for none.
        header: whether the first line names the columns.
        names: the columns' names, where there is no header.
        null: the text of a missing value, beside the empty one.
        encoding: of the text.
    """

    delimiter: str = Field(default="auto", min_length=1)
    quote: str = Field(default='"', max_length=1)
    header: bool = True
    names: list[str] = Field(default_factory=list)
    null: str = ""
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"


class Quarantine(Strict):
    """How many rows may be malformed; past either limit ingest fails and shows the first ten.

    Attributes:
        max_rows: rows at most.
        max_fraction: of all rows at most.
    """

    max_rows: int = Field(default=1000, ge=0)
    max_fraction: float = Field(default=0.01, ge=0, le=1)


class Source(Strict):
    """A table, or a family of tables, one a span.

    Attributes:
        uri: path or URI; ``{SPAN}`` stands for the span's number, a glob for many files.
        format: how it is written; ``auto`` goes by the name.
        window: how many spans a run reads where it is not told (``next``, ``latest``).
        csv: the dialect, where it is CSV.
        types: column to type; what is not named here is inferred, and the manifest says what was.
        quarantine: how many rows may be malformed.
    """

    uri: str = Field(min_length=1)
    format: Literal["auto", "parquet", "csv", "json", "jsonl", "avro", "orc", "tfrecord"] = "auto"
    window: int = Field(default=1, ge=1)
    csv: Dialect = Dialect()
    types: dict[str, Kind] = Field(default_factory=dict)
    quarantine: Quarantine = Quarantine()

    @field_validator("uri")
    @classmethod
    def _one_span(cls, uri: str) -> str:
        if uri.count("{SPAN}") > 1:
            raise ValueError("{SPAN} may stand once in a URI")
        return uri
