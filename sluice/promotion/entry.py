"""An entry of the ledger, in the format of this release and in earlier ones.

Format 1 (sluice 0.1.0 until November 2026) had no format number, named destinations in one string and gave an entry's
number as the version it published. Its reader below is frozen: entries written then are read as they were meant then.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from sluice.run import RunReference
from sluice.stored import Stored, newer


class Kind(StrEnum):
    """What an entry records."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    WITHDRAWN = "withdrawn"
    """A promotion or rollback that could not be published everywhere was undone."""
    ADOPTED = "adopted"
    """The use case's policies were changed on purpose."""
    ROUTED = "routed"
    """The champion was given another share of the traffic."""
    PRUNED = "pruned"
    """Old parts of the journal were removed on purpose."""


SERVED = (Kind.PROMOTED, Kind.ROLLED_BACK)
"""Kinds that publish a version."""


class Head(BaseModel):
    """The end of one writer's chain in the journal.

    Attributes:
        part: number of its newest part.
        digest: of that part's bytes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    part: int = Field(ge=1)
    digest: str


class Entry(Stored):
    """One decision.

    Attributes:
        format: of the entry; 2 is this release's.
        release: the sluice release that wrote it; empty in format 1.
        number: 1, 2, 3, ...
        previous: digest of the entry before.
        kind: what was decided.
        version: the version that the entry publishes; 0 where it publishes none.
        last_version: the highest version given so far, this entry's included; 0 where none was, and in format 1.
        champion: number of the entry whose version is served as of this entry; 0 where none is.
        policies_entry: number of the entry that put the policies in force as of this entry; 0 where none did.
        time: when, by the clock of who wrote it (RFC 3339); for people only.
        use_case: name of the use case.
        span: the span judged, in explicit form.
        run: the pipeline run.
        model: digest of the model; empty where a data set was refused before there was one.
        destinations: URIs under which it was published.
        staged: name of the folder in each destination that held the model before it was published.
        verdicts: gate to its verdict's digest; the verdicts are in the evidence.
        evidence: name (``statistics``, ``schema``, ``verdict-data``, ...) to the digest that names its folder.
        policies: gate (and ``push``) to the digest of its policy as written, defaults left out; in format 1 filled in.
        reasons: why, in sentences.
        notes: what closed no gate and is worth knowing: rows that are in no split, warnings of ingest and of the gates.
        restores: number of the entry whose version is served again.
        withdraws: number of the entry that is withdrawn.
        journal: writer to the end of its chain in the journal when the entry was written.
        pruned: for ``pruned``, writer to the newest part that was removed.
        facts: who, image, commit, ...: whatever else the run knew.
    """

    WHAT: ClassVar[str] = "the entry"

    format: int = 2
    number: int = Field(ge=1)
    previous: str
    kind: Kind
    version: int = Field(default=0, ge=0)
    last_version: int = Field(default=0, ge=0)
    champion: int = Field(default=0, ge=0)
    policies_entry: int = Field(default=0, ge=0)
    time: str
    use_case: str = ""
    span: str = ""
    run: RunReference = RunReference()
    model: str = ""
    destinations: tuple[str, ...] = ()
    staged: str = ""
    verdicts: dict[str, str] = Field(default_factory=dict)
    evidence: dict[str, str] = Field(default_factory=dict)
    policies: dict[str, str] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    restores: int | None = None
    withdraws: int | None = None
    journal: dict[str, Head] = Field(default_factory=dict)
    pruned: dict[str, Head] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes, where: str = "") -> Self:
        """Read stored bytes.

        Raises:
            NewerFormatError: a later release wrote it: its format or its kind is not known here.
            ValueError: it is no entry.
        """
        plain = json.loads(content)
        if isinstance(plain, dict) and plain.get("format", 1) != 1 and plain.get("kind") not in list(Kind):
            raise newer(f"the entry is of the kind {plain.get('kind')!r}, which is not known here", plain, where)
        return super().parse(content, where)

    @classmethod
    def upgrade(cls, content: dict[str, Any], number: int) -> dict[str, Any]:
        """An entry of format 1."""
        old = Entry1.model_validate(content)
        return {
            **old.model_dump(exclude={"law", "run", "destination"}),
            "release": "", "version": old.number if old.kind in SERVED else 0, "policies_entry": old.law,
            "run": RunReference(name=old.run), "destinations": tuple(old.destination.split()),
        }  # fmt: skip


class Entry1(BaseModel):
    """Format 1, frozen: nothing is added to it or taken from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    previous: str
    kind: Kind
    champion: int = Field(default=0, ge=0)
    law: int = Field(default=0, ge=0)
    time: str
    use_case: str = ""
    span: str = ""
    run: str = ""
    model: str = ""
    destination: str = ""
    staged: str = ""
    verdicts: dict[str, str] = Field(default_factory=dict)
    evidence: dict[str, str] = Field(default_factory=dict)
    policies: dict[str, str] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    restores: int | None = None
    withdraws: int | None = None
    facts: dict[str, str] = Field(default_factory=dict)


def champion_of(kind: Kind, number: int, last: Entry | None, fields: dict[str, Any]) -> int:
    """Number of the entry whose version is served as of an entry that follows `last`."""
    if kind in SERVED:
        return number
    served = last.champion if last else 0
    if kind is Kind.WITHDRAWN and fields.get("withdraws") == served:
        return fields.get("restores") or 0
    return served


def policies_of(kind: Kind, number: int, last: Entry | None) -> int:
    """Number of the entry whose policies are in force: those of the first promotion, until others are adopted."""
    in_force = last.policies_entry if last else 0
    return number if kind is Kind.ADOPTED or (kind is Kind.PROMOTED and not in_force) else in_force


def objections(entry: Entry, last: Entry | None, last_version: int) -> list[str]:
    """What an entry says of champion, policies and versions that does not follow from the entry before.

    Args:
        entry: the entry.
        last: the entry before; None for the first.
        last_version: the highest version given before it.
    """
    found = []
    fields = {"restores": entry.restores, "withdraws": entry.withdraws}
    if entry.champion != champion_of(entry.kind, entry.number, last, fields):
        found.append(f"names champion {entry.champion}, which does not follow from the entry before")
    if entry.policies_entry != policies_of(entry.kind, entry.number, last):
        found.append(f"names the policies of entry {entry.policies_entry}, which does not follow from the entry before")
    if entry.format > 1:
        version = last_version + 1 if entry.kind in SERVED else 0
        if entry.version != version:
            found.append(f"publishes version {entry.version}, and {version or 'none'} is next")
        if entry.last_version != max(last_version, version):
            found.append(
                f"says that the highest version is {entry.last_version}, and it is {max(last_version, version)}"
            )
    return found
