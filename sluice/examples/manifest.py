"""The manifest of an examples artifact (``examples.json``): what was read, from where, and what became of it."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from sluice import digest, parts
from sluice.errors import SluiceError
from sluice.gates.data.evidence import Repetition
from sluice.parts import Part
from sluice.stored import Stored

MANIFEST_FILE = "examples.json"
DIGEST = "digest"
NAMED = 20
"""Columns that a sentence names at most."""
MANIFEST_1 = frozenset(
    ("format", "sources", "columns", "inferred", "splits", "split", "spans", "version", "rows_in", "quarantined", "left_out",
     "duplicates", "shared", "digest", "warnings")
)  # fmt: skip
"""The fields of a manifest of format 1."""


class SourceFile(BaseModel):
    """One file or query that was read: its URI, size in bytes, etag or modification time as the store gives it, and rows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    uri: str
    size: int | None = None
    etag: str | None = None
    rows: int | None = None


class SplitFacts(BaseModel):
    """What one split holds.

    Attributes:
        rows: of all its parts.
        bytes: of all its parts, on disk.
        parts: its files, in the order in which they are read; none are listed in format 1.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows: int
    bytes: int
    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, folder: Path, name: str) -> SplitFacts:
        """Describe the Parquet files of a split as they are now.

        Args:
            folder: the artifact's folder.
            name: the split's.
        """
        import pyarrow.parquet as pq

        files = split_files(folder, name)
        listed = tuple(parts.describe(folder, file, pq.read_metadata(file).num_rows) for file in files)
        return cls(rows=sum(part.rows or 0 for part in listed), bytes=sum(part.bytes for part in listed), parts=listed)

    @property
    def digest(self) -> str:
        """Digest of the listed parts: their names, sha256, sizes and rows."""
        return digest.of_json([part.model_dump(mode="json") for part in self.parts])


def split_files(folder: Path, name: str) -> list[Path]:
    """The Parquet files of a split that are there, in order."""
    return sorted((folder / name).rglob("*.parquet"))


class Manifest(Stored):
    """What an examples artifact holds.

    Attributes:
        format: of ``examples.json``; 1 listed no parts, and its digest was what is the content id now.
        release: the sluice release that wrote it.
        sources: what was read.
        columns: column name to Arrow type, in order, e.g. ``{"distance": "int64"}``.
        inferred: the columns whose type is a proposal, found in the text of the first rows.
        splits: split name to its facts.
        split: the split's definition as configured, with the hash's name and version.
        bounds: split name to its part [low, high) of the hash's interval, in order (`sluice.examples.split.Split.bounds`);
            empty where no hash divides, and in format 1, whose order was that in which the ratios arrived.
        spans: the spans read, in order.
        version: the source's version, if it has one.
        rows_in: rows seen in the sources; always ``sum(splits' rows) + quarantined + left_out``.
        quarantined: rows that did not parse and went to ``quarantine/``.
        quarantine: the files that hold them.
        left_out: rows in the gap of a split by time, or without a value that `source.drop_missing` asks for.
        duplicates: rows that repeat another row in every column; None where nobody counted.
        single: rows that no other row equals; None where nobody counted, as where few repeat.
        shared: distinct rows that stand in more than one split; None where nobody counted.
        row_hashes: the hashes of the train split's rows (`sluice.examples.row_hashes`); None where there are none.
        content_id: the same rows in the same splits have the same one, whatever the parts (`sluice.examples.write.Content`);
            not collision-resistant; None where nobody counted.
        warnings: sentences for a person, e.g. of the PII scan.
    """

    WHAT: ClassVar[str] = "the manifest"
    INDENT: ClassVar[bool] = True

    format: int = 2
    sources: list[SourceFile]
    columns: dict[str, str]
    inferred: list[str] = Field(default_factory=list)
    splits: dict[str, SplitFacts]
    split: dict[str, Any]
    bounds: dict[str, tuple[float, float]] = Field(default_factory=dict)
    spans: list[str] = Field(default_factory=list)
    version: str | None = None
    rows_in: int
    quarantined: int = 0
    quarantine: tuple[Part, ...] = ()
    left_out: int = 0
    duplicates: int | None = None
    single: int | None = None
    shared: int | None = None
    row_hashes: Part | None = None
    content_id: str | None = None
    warnings: list[str] = Field(default_factory=list)

    @property
    def repetition(self) -> Repetition | None:
        """How many rows repeat; None where nobody counted."""
        if self.duplicates is None:
            return None
        rows = sum(split.rows for split in self.splits.values())
        single = max(0, rows - 2 * self.duplicates) if self.single is None else self.single
        return Repetition(rows=rows, distinct=rows - self.duplicates, single=single)

    @property
    def digest(self) -> str:
        """What the examples are named by: sha256 of the canonical JSON of all that ``examples.json`` holds but this.

        It covers every part's sha256, the columns, the split's definition and all counts. Format 1: as it stands there.
        """
        content = json.loads(self._content) if self._content else self.model_dump(mode="json")
        return str(content[DIGEST]) if self.format == 1 else _digest(content)

    def notes(self) -> list[str]:
        """What a person has to know of the rows, in sentences: those that are not there, warnings, types that are guesses."""
        told = []
        if self.quarantined:
            files = ", ".join(part.name for part in self.quarantine) or "quarantine"
            told.append(
                f"{self.quarantined:,} of {self.rows_in:,} rows could not be read as the columns' types, and are in {files}"
            )
        if self.left_out:
            told.append(f"{self.left_out:,} of {self.rows_in:,} rows lie between the splits by time, and are in none")
        told += self.warnings
        if self.inferred:
            named = [f"{column} {self.columns[column]}" for column in self.inferred[:NAMED] if column in self.columns]
            more = (
                f" and {len(self.inferred) - NAMED} more ({MANIFEST_FILE} lists them)"
                if len(self.inferred) > NAMED
                else ""
            )
            told.append(f"types inferred from text: {', '.join(named)}{more}")
        return told

    def split_digest(self, name: str) -> str | None:
        """Digest of a split's listed parts; None where there is no such split, or its parts are not listed (format 1)."""
        facts = self.splits.get(name)
        return facts.digest if facts and self.format > 1 else None

    def to_bytes(self) -> bytes:
        """The bytes as they were stored; JSON with its digest for what was not."""
        return self._content or self.as_bytes({**self.model_dump(mode="json"), DIGEST: self.digest})

    @classmethod
    def parse(cls, content: bytes, where: str = "") -> Self:
        """Read stored bytes of any format up to this release's, and check the digest.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: it was edited.
            ValueError: it is no manifest.
        """
        manifest = super().parse(content, where)
        plain = json.loads(content)
        if (expected := plain.get(DIGEST)) != manifest.digest:
            raise SluiceError(f"the manifest was edited: its content has the digest {manifest.digest}, and it names {expected}",
                              where=where, remedy="run ingest again")  # fmt: skip
        return manifest

    @classmethod
    def upgrade(cls, content: dict[str, Any], number: int) -> dict[str, Any]:
        """A manifest of format 1: no parts, no content id, and nothing else that is not in it."""
        if unknown := sorted(content.keys() - MANIFEST_1):
            raise ValueError(f"not in a manifest of format {number}: {', '.join(unknown)}")
        if DIGEST not in content:
            raise ValueError("it has no digest")
        return {**content, "release": ""}

    def save(self, folder: Path) -> None:
        """Write ``examples.json``."""
        (folder / MANIFEST_FILE).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read ``examples.json``.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: the folder holds no examples artifact, or its manifest was edited.
        """
        file = folder / MANIFEST_FILE
        if not file.is_file():
            raise SluiceError(
                "no examples here: examples.json is missing",
                where=str(folder),
                remedy="give the folder that ingest wrote, or run ingest again if it was interrupted",
            )
        return cls.read(file, "the file was edited: run ingest again")


def _digest(content: dict[str, Any]) -> str:
    return digest.of_json({key: value for key, value in content.items() if key != DIGEST})
