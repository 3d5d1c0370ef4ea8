"""The journal: what happens too often for the ledger, beside it, in a chain for each writer.

``journal/<writer>/<number>.jsonl`` is a part: its first line says which part it is and holds the digest of the part
before; the others are records. Parts are created with put-if-absent and never changed, so that writers in several
processes may share a name: the store decides who gets a number. Every entry of the ledger holds the ends of the chains as
it found them, so that records cannot be changed or removed unseen from then on. Old parts are removed by `prune`, which
is an entry of the ledger itself.

The bytes count: a part is identified by the digest of what is stored, whatever later releases add to a record.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from sluice import digest
from sluice.errors import SluiceError, first_line
from sluice.promotion import chain
from sluice.promotion.entry import Head
from sluice.run import RunReference
from sluice.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sluice.storage import Store

JOURNAL, HINT = "journal", "head.json"
FIRST = "sha256:" + "0" * 64
"""What the first part of a writer names as the one before it."""
ATTEMPTS = 100
WRITER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Observation(StrEnum):
    """What a record of the journal is."""

    OBSERVED = "observed"
    """A served model was looked at."""
    WAITED = "waited"
    """A retraining was considered, and is not due."""
    SCORED = "scored"
    """A batch was scored."""


class Record(BaseModel):
    """One line of the journal.

    Attributes:
        kind: what happened.
        time: when, by the clock of who wrote it (RFC 3339); for people only.
        use_case: name of the use case.
        version: the version that was served; 0 where none was.
        span: the span or window, in explicit form.
        run: the pipeline run.
        reasons: why, in sentences.
        evidence: name to the digest that names its folder in the ledger's evidence.
        facts: figures and names, as JSON values.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Observation
    time: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    use_case: str = ""
    version: int = Field(default=0, ge=0)
    span: str = ""
    run: RunReference = RunReference()
    reasons: tuple[str, ...] = ()
    evidence: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)


class Title(Stored):
    """The first line of a part.

    Attributes:
        format: of the part.
        release: the sluice release that wrote it.
        writer: whose chain it is in.
        part: its number in that chain, from 1.
        previous: digest of the part before.
    """

    WHAT: ClassVar[str] = "the journal's part"

    writer: str
    part: int = Field(ge=1)
    previous: str


@dataclass(frozen=True)
class Part:
    """A part as it is stored.

    Attributes:
        title: its first line.
        records: its other lines.
    """

    title: Title
    records: tuple[Record, ...]

    @classmethod
    def parse(cls, content: bytes, where: str = "") -> Part:
        """Read a part.

        Raises:
            NewerFormatError: a later release wrote it.
            ValueError: it is no part.
        """
        first, *lines = content.splitlines()
        return cls(Title.parse(first, where), tuple(map(Record.model_validate_json, lines)))


@dataclass(frozen=True)
class Journal:
    """The journal beside a ledger.

    Attributes:
        store: the ledger's folder.
    """

    store: Store

    def append(self, writer: str, *records: Record) -> Head:
        """Append records to a writer's chain, as one part.

        Args:
            writer: whose chain: lower-case letters, digits and hyphens, e.g. the component's name.
            records: at least one.

        Returns:
            The new end of the chain.

        Raises:
            SluiceError: no name for a writer, or the store is too busy.
        """
        if not WRITER.fullmatch(writer):
            raise SluiceError(f"{writer!r} is no name for a writer of the journal",
                              remedy="use lower-case letters, digits and hyphens, at most 63")  # fmt: skip
        if not records:
            raise ValueError("nothing to append")
        for _ in range(ATTEMPTS):
            end = self.head(writer)
            title = Title(writer=writer, part=end.part + 1 if end else 1, previous=end.digest if end else FIRST)
            lines = (digest.canonical_json(line.model_dump(mode="json")) for line in (title, *records))
            content = b"".join(line + b"\n" for line in lines)
            key = _key(writer, title.part)
            # Written by this call, too, where the store's answer was lost and its client asked again.
            if self.store.put_if_absent(key, content) or self._find(key) == content:
                chain.write_hint(self.store, _hint(writer), title.part)
                return Head(part=title.part, digest=digest.of_bytes(content))
        raise SluiceError(f"{ATTEMPTS} other writers were faster", where=f"{self.store.uri}/{JOURNAL}/{writer}",
                          remedy="run the step again")  # fmt: skip

    def append_change(self, writer: str, record: Record) -> Head | None:
        """Append a record, unless the writer's newest one is of the same kind, for the same version and reasons.

        Returns:
            The new end of the chain; None where nothing has changed, and nothing was written.
        """
        end = self.head(writer)
        before = self.part(writer, end.part).records[-1] if end else None
        if before and (before.kind, before.version, before.reasons) == (record.kind, record.version, record.reasons):
            return None
        return self.append(writer, record)

    def writers(self) -> list[str]:
        """Names of all writers."""
        return self.store.folders(JOURNAL)

    def head(self, writer: str) -> Head | None:
        """The end of a writer's chain, if there is any: found in a few reads, however long the chain is."""
        hint = chain.read_hint(self.store, _hint(writer))
        number = chain.newest(hint, lambda part: self.store.has(_key(writer, part)), lambda: self.numbers(writer))
        return Head(part=number, digest=digest.of_bytes(self.store.get(_key(writer, number)))) if number else None

    def heads(self) -> dict[str, Head]:
        """The end of every writer's chain."""
        return {writer: head for writer in self.writers() if (head := self.head(writer))}

    def numbers(self, writer: str) -> list[int]:
        """Numbers of a writer's parts, ascending."""
        names = (key.rpartition("/")[2].removesuffix(".jsonl") for key in self.store.keys(f"{JOURNAL}/{writer}"))
        return sorted(int(name) for name in names if name.isdigit())

    def part(self, writer: str, number: int) -> Part:
        """One part.

        Raises:
            SluiceError: it is not there, or cannot be read.
        """
        where = f"{self.store.uri}/{_key(writer, number)}"
        try:
            return Part.parse(self.store.get(_key(writer, number)), where)
        except FileNotFoundError:
            raise SluiceError(
                "this part of the journal is missing", where=where, remedy="see `sluice ledger verify`"
            ) from None
        except ValueError as error:
            raise SluiceError("this part of the journal cannot be read", where=where,
                              remedy="see `sluice ledger verify`") from error  # fmt: skip

    def records(self, writer: str) -> Iterator[Record]:
        """A writer's records, the newest first."""
        for number in reversed(self.numbers(writer)):
            yield from reversed(self.part(writer, number).records)

    def older(self, before: datetime) -> dict[str, Head]:
        """Writer to the newest of its parts that, with all parts before it, holds only records from before a moment.

        A writer's newest part is never among them: its chain goes on from there.
        """
        marks = {}
        for writer in self.writers():
            for number in self.numbers(writer)[:-1]:
                part = self.part(writer, number)
                if any(datetime.fromisoformat(record.time) >= before for record in part.records):
                    break
                content = self.store.get(_key(writer, number))
                marks[writer] = Head(part=number, digest=digest.of_bytes(content))
        return marks

    def remove(self, pruned: Mapping[str, Head]) -> int:
        """Remove the parts that entries of the ledger allow to be removed; returns how many were there."""
        gone = [
            _key(writer, number)
            for writer, mark in pruned.items()
            for number in self.numbers(writer)
            if number <= mark.part
        ]
        self.store.delete(*gone)
        return len(gone)

    def verify(self, anchors: Mapping[str, list[Head]], pruned: Mapping[str, Head]) -> list[str]:
        """What is wrong with the journal, in sentences.

        Args:
            anchors: writer to the ends of its chain that entries of the ledger hold.
            pruned: writer to the newest part that was removed on record.
        """
        problems: list[str] = []
        for writer in sorted({*self.writers(), *anchors}):
            problems += self._problems(writer, anchors.get(writer, []), pruned.get(writer))
        return problems

    def _problems(self, writer: str, anchors: list[Head], mark: Head | None) -> Iterator[str]:
        """What is wrong with a writer's chain."""
        name = f"the journal of {writer}"
        digests = {mark.part: mark.digest} if mark else {}
        gone = mark.part if mark else 0
        before, expected = mark.digest if mark else FIRST, gone + 1
        for number in self.numbers(writer):
            if number <= gone:
                continue  # to be removed, on record; the removal was cut off
            if number != expected:
                yield (
                    f"{name}: part {expected} is missing"
                    if number == expected + 1
                    else (f"{name}: parts {expected} to {number - 1} are missing")
                )
            content = self.store.get(_key(writer, number))
            try:
                part = Part.parse(content)
                if (part.title.writer, part.title.part) != (writer, number):
                    yield f"{name}: part {number} says that it is part {part.title.part} of {part.title.writer}"
                if number == expected and part.title.previous != before:
                    yield f"{name}: part {number} does not follow from part {number - 1}: one of the two was changed"
                if any(line != digest.canonical_json(json.loads(line)) for line in content.splitlines()):
                    yield f"{name}: part {number} is not in canonical form: it was edited"
            except (ValueError, SluiceError) as error:
                yield f"{name}: part {number} cannot be read: {first_line(error)}"
            before = digests[number] = digest.of_bytes(content)
            expected = number + 1
        for anchor in anchors:
            if anchor.part >= gone and digests.get(anchor.part) != anchor.digest:
                yield f"{name}: part {anchor.part} is not the one that the ledger names: it was changed or removed"
        if (seen := chain.read_hint(self.store, _hint(writer))) >= expected:
            yield f"{name}: its newest part was number {seen} once, and is {expected - 1} now: the end was cut off"

    def _find(self, key: str) -> bytes | None:
        try:
            return self.store.get(key)
        except FileNotFoundError:
            return None


def _key(writer: str, number: int) -> str:
    return f"{JOURNAL}/{writer}/{number:08d}.jsonl"


def _hint(writer: str) -> str:
    return f"{JOURNAL}/{writer}/{HINT}"
