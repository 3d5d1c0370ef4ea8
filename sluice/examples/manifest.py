"""The manifest of an examples artifact (``examples.json``): what was read, from where, and what became of it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003
from typing import Any

from pydantic import BaseModel, ConfigDict

from sluice.errors import SluiceError

MANIFEST_FILE = "examples.json"


class SourceFile(BaseModel):
    """One file or query that was read: its URI, size in bytes, etag or modification time as the store gives it, and rows."""

    model_config = ConfigDict(extra="forbid")

    uri: str
    size: int | None = None
    etag: str | None = None
    rows: int | None = None


class SplitFacts(BaseModel):
    """What one split holds: rows, bytes on disk, files."""

    model_config = ConfigDict(extra="forbid")

    rows: int
    bytes: int
    files: int


class Manifest(BaseModel):
    """What an examples artifact holds.

    Attributes:
        format: version of this layout.
        sources: what was read.
        columns: column name to Arrow type, in order, e.g. ``{"distance": "int64"}``.
        inferred: the columns whose type is a proposal, found in the text of the first rows.
        splits: split name to its facts.
        split: the split's definition as configured, with the hash's name and version.
        spans: the spans read, in order.
        version: the source's version, if it has one.
        rows_in: rows seen in the sources; always ``sum(splits' rows) + quarantined + left_out``.
        quarantined: rows that did not parse and went to ``quarantine/``.
        left_out: rows in the gap of a split by time, or without a value that `source.drop_missing` asks for.
        duplicates: rows that repeat another row in every column; None where nobody counted.
        shared: distinct rows that stand in more than one split; None where nobody counted.
        digest: of the content, whatever the order of files and rows.
        warnings: sentences for a person, e.g. of the PII scan.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = 1
    sources: list[SourceFile]
    columns: dict[str, str]
    inferred: list[str] = []
    splits: dict[str, SplitFacts]
    split: dict[str, Any]
    spans: list[str] = []
    version: str | None = None
    rows_in: int
    quarantined: int = 0
    left_out: int = 0
    duplicates: int | None = None
    shared: int | None = None
    digest: str
    warnings: list[str] = []

    def save(self, folder: Path) -> None:
        """Write ``examples.json``."""
        (folder / MANIFEST_FILE).write_text(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read ``examples.json``.

        Raises:
            SluiceError: the folder holds no examples artifact.
        """
        file = folder / MANIFEST_FILE
        if not file.is_file():
            raise SluiceError(
                "no examples here: examples.json is missing",
                where=str(folder),
                remedy="give the folder that ingest wrote, or run ingest again if it was interrupted",
            )
        return cls.model_validate_json(file.read_bytes())
