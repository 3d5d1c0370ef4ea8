"""Sources: where the data is, how it is written, and how much of it may be malformed."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from sluice.config.base import Strict
from sluice.examples.calendar import DATES
from sluice.examples.conversion import Notation
from sluice.examples.secrets import refuse

Kind = Literal["int64", "double", "bool", "string", "timestamp[us]"]


class Dialect(Strict):
    """How a CSV file is written.

    Attributes:
        delimiter: one character; ``auto`` finds it (a tab in ``.tsv``).
        quote: what stands around text that holds the delimiter; empty for none.
        header: whether the first line names the columns.
        names: the columns' names, where there is no header.
        null: the texts of a missing value, beside the empty one: one, or several, e.g. ``[NA, n/a, "-"]``.
        encoding: of the text.
        escape: what stands before a quote inside quotes; empty: the quote itself, as RFC 4180 has it. Spark writes a backslash.
        decimal: what stands before a number's fraction.
        thousands: what stands between groups of three of its digits; empty for nothing.
        skip: lines before the header, or before the first row.
        comment: what a line that is none begins with; empty: every line is a row.
    """

    delimiter: str = Field(default="auto", min_length=1)
    quote: str = Field(default='"', max_length=1)
    header: bool = True
    names: list[str] = Field(default_factory=list)
    null: str | list[str] = ""
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    escape: str = Field(default="", max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    skip: int = Field(default=0, ge=0)
    comment: str = Field(default="", max_length=1)

    @property
    def missing(self) -> list[str]:
        """The texts of a missing value, beside the empty one."""
        return [self.null] if isinstance(self.null, str) else self.null

    @model_validator(mode="after")
    def _two_signs(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are two signs")
        return self


class Quarantine(Strict):
    """How many rows may be malformed; past either limit ingest fails and shows the first ten.

    Attributes:
        max_rows: rows at most.
        max_fraction: of all rows at most.
    """

    max_rows: int = Field(default=1000, ge=0)
    max_fraction: float = Field(default=0.01, ge=0, le=1)


class Pii(Strict):
    """What to do about columns that look like personal data (needs the extra ``pii``).

    Attributes:
        action: ``off``; ``warn``, in the manifest; or ``refuse``.
        share: of a column's sampled values that have to look like it.
        allow: columns that may.
        model: package of a spaCy model that finds names of people, e.g. ``en_core_web_sm``; empty: names are found by the
            column's own name alone.
    """

    action: Literal["off", "warn", "refuse"] = "off"
    share: float = Field(default=0.3, gt=0, le=1)
    allow: list[str] = Field(default_factory=list)
    model: str = ""


class Spans(Strict):
    """The spans of a query: span 1 begins at `first`, and each ends where the next begins.

    Attributes:
        first: a day, or a whole number.
        step: how long a span is: ``day``, ``week``, ``month``, ``year``; a whole number where `first` is one.
        last: the last span's number; None for the last that is over today (in UTC); numbers need one.
    """

    first: date | int
    step: Literal["day", "week", "month", "year"] | Annotated[int, Field(ge=1)] = "day"
    last: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _of_a_kind(self) -> Self:
        if isinstance(self.first, int) != isinstance(self.step, int):
            raise ValueError("first and step go together: a day and day, week, month or year; or two whole numbers")
        if isinstance(self.first, int) and self.last is None:
            raise ValueError("spans of numbers need a last one")
        if isinstance(self.first, date) and self.step in ("month", "year") and self.first.day > 28:
            raise ValueError("a month begins on one of its days up to the 28th")
        return self


class Source(Strict):
    """A table, or a family of tables, one a span.

    Attributes:
        uri: path or URI; ``{SPAN}`` stands for the span's number, ``{YYYY}{MM}{DD}`` for its day, ``{VERSION}`` for the version
            of its data; a glob for many files.
        format: how it is written; ``auto`` goes by the name.
        version: of a Delta Lake table; None for the newest.
        timestamp: the version of a Delta Lake table is the one of this moment.
        query: SQL, in the database that `uri` names, or over its files, which are the table ``source``; ``@span_begin`` and
            ``@span_end`` are bound to a span's bounds.
        spans: the spans of a query.
        window: how many spans a run reads where it is not told (``next``, ``latest``).
        exclude: spans that are left out: a window reaches further back instead.
        csv: the dialect, where it is CSV.
        types: column to type; what is not named here is inferred, and the manifest says what was.
        columns: the columns to read: a list of them, or new name to column; ``address.city`` is a field of a nested one. Empty:
            all of them.
        missing_columns: what becomes of a column that is in some of the files only: ``keep``, with missing values where it is
            not there, or ``refuse``.
        drop_missing: columns without whose value a row is left out, e.g. the label.
        timezone: of times without one, e.g. ``Europe/Berlin``; a time that it skips, or has twice, goes to quarantine.
        quarantine: how many rows may be malformed.
        pii: what to do about columns that look like personal data.
    """

    uri: str = Field(min_length=1)
    format: Literal["auto", "parquet", "csv", "json", "jsonl", "avro", "orc", "tfrecord", "delta"] = "auto"
    version: int | None = Field(default=None, ge=0)
    timestamp: AwareDatetime | None = None
    query: str = ""
    spans: Spans | None = None
    window: int = Field(default=1, ge=1)
    exclude: list[int] = Field(default_factory=list)
    csv: Dialect = Dialect()
    types: dict[str, Kind] = Field(default_factory=dict)
    columns: list[str] | dict[str, str] = Field(default_factory=list)
    missing_columns: Literal["keep", "refuse"] = "keep"
    drop_missing: list[str] = Field(default_factory=list)
    timezone: str = Field(default="UTC", pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$")
    quarantine: Quarantine = Quarantine()
    pii: Pii = Pii()

    @property
    def named_columns(self) -> dict[str, str]:
        """New name to the column, or to the path of a field in it; empty where all columns are read."""
        if isinstance(self.columns, dict):
            return self.columns
        return {column: column for column in self.columns}

    @property
    def notation(self) -> Notation:
        """How numbers and times are written in it."""
        return Notation(self.timezone, self.csv.decimal, self.csv.thousands)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        marks = {mark for mark in ("@span_begin", "@span_end") if mark in self.query}
        if self.spans and len(marks) < 2:
            raise ValueError("a query with spans is bound by @span_begin and @span_end")
        if marks and not self.spans:
            raise ValueError(f"{min(marks)} needs spans: {{first: 2026-01-01, step: month}}")
        if self.query and "{" in self.uri:
            raise ValueError("the spans of a query are told by spans, not by its uri")
        if self.version is not None and self.timestamp:
            raise ValueError("a table has a version or a timestamp, not both")
        return self

    @field_validator("uri")
    @classmethod
    def _no_secret(cls, uri: str) -> str:
        refuse(uri)
        return uri

    @field_validator("uri")
    @classmethod
    def _placeholders(cls, uri: str) -> str:
        places = ("{SPAN}", "{VERSION}", *DATES)
        if twice := [place for place in places if uri.count(place) > 1]:
            raise ValueError(f"{twice[0]} may stand once in a URI")
        if unknown := [place for place in re.findall(r"\{[^}]*\}", uri) if place not in places]:
            raise ValueError(f"{unknown[0]} is no placeholder: there are {', '.join(places)}")
        dated = [place in uri for place in DATES]
        if "{SPAN}" in uri and any(dated):
            raise ValueError("a span is a number ({SPAN}) or a date ({YYYY}{MM}{DD}), not both")
        if sorted(dated, reverse=True) != dated:
            raise ValueError("a date begins with its year: {YYYY}, {YYYY}{MM} or {YYYY}{MM}{DD}")
        if "{VERSION}" in uri and not ("{SPAN}" in uri or any(dated)):
            raise ValueError("{VERSION} needs {SPAN} or a date beside it")
        return uri
