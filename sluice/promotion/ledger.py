"""The ledger: immutable numbered entries in a folder at any store, each carrying the digest of the one before.

``entries/00000001.json`` is created with put-if-absent, so that the store decides a race; ``evidence/<sha256>/`` holds
what an entry refers to, written before it and named by its digest. The champion is what the entries say. Clocks are
recorded and never compared.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice import digest
from sluice.errors import SluiceError
from sluice.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES, EVIDENCE = "entries", "evidence"
FIRST = "sha256:" + "0" * 64
"""What the first entry names as the one before it."""
ATTEMPTS = 100


class Kind(StrEnum):
    """What an entry records."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"


class Entry(BaseModel):
    """One decision.

    Attributes:
        number: 1, 2, 3, ...; the version under which a promoted model is published.
        previous: digest of the entry before.
        kind: promoted, refused or rolled back.
        time: when, by the clock of who wrote it (RFC 3339); for people only.
        use_case: name of the use case.
        span: the span judged, in explicit form.
        run: the pipeline run.
        model: digest of the model; empty where a data set was refused before there was one.
        destination: URI under which it was published.
        staged: name of the folder in the destination that held the model before it was published.
        verdicts: gate to its verdict's digest; the verdicts are in the evidence.
        evidence: name (``statistics``, ``schema``, ``verdict-data``, ...) to the digest that names its folder.
        policies: gate to its policy's digest.
        reasons: why, in sentences.
        restores: the number rolled back to.
        facts: who, images, commit: whatever else the run knew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    previous: str
    kind: Kind
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
    facts: dict[str, str] = Field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The entry's one byte form."""
        return digest.canonical_json(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """Digest of the entry's bytes, which the next entry carries."""
        return digest.of_bytes(self.to_bytes())


@dataclass(frozen=True)
class Ledger:
    """A ledger at a URI."""

    store: Store

    @classmethod
    def at(cls, uri: str) -> Ledger:
        """Open the ledger at a URI; an empty folder is an empty ledger."""
        return cls(Store.at(uri))

    def numbers(self) -> list[int]:
        """Numbers of all entries, ascending."""
        names = (Path(key).stem for key in self.store.keys(ENTRIES))
        return sorted(int(name) for name in names if name.isdigit())

    def entry(self, number: int) -> Entry:
        """One entry.

        Raises:
            SluiceError: it is not there or cannot be read.
        """
        try:
            return Entry.model_validate_json(self.store.get(_key(number)))
        except FileNotFoundError:
            raise SluiceError(f"no entry {number}", where=self.store.uri, remedy="see `sluice ledger log`") from None
        except ValidationError as error:
            raise SluiceError(f"entry {number} cannot be read: {error.error_count()} fields are wrong", where=self.store.uri,
                              remedy="see `sluice ledger verify`") from error  # fmt: skip

    def entries(self) -> Iterator[Entry]:
        """All entries, the newest first."""
        for number in reversed(self.numbers()):
            yield self.entry(number)

    def last(self) -> Entry | None:
        """The newest entry, if any."""
        return next(self.entries(), None)

    def champion(self) -> Entry | None:
        """The entry that says what is served: the newest promotion or rollback, if any."""
        return next((entry for entry in self.entries() if entry.kind is not Kind.REFUSED), None)

    def last_span(self) -> str | None:
        """The span judged last, whatever became of it."""
        return next((entry.span for entry in self.entries() if entry.span), None)

    def append(self, kind: Kind, *, after: Entry | None = None, **fields: Any) -> Entry:
        """Append a decision.

        Args:
            kind: what it records.
            after: the champion that the decision rests on; a promotion or rollback that finds another is not written.
            fields: the rest of the entry.

        Raises:
            SluiceError: the champion is another one by now, or the store is too busy.
        """
        for _ in range(ATTEMPTS):
            last = self.last()
            if kind is not Kind.REFUSED and self.champion() != after:
                raise OutrunError(self.champion())
            entry = Entry(
                number=last.number + 1 if last else 1, previous=last.digest if last else FIRST, kind=kind,
                time=datetime.now(UTC).isoformat(timespec="seconds"), **fields,
            )  # fmt: skip
            if self.store.put_if_absent(_key(entry.number), entry.to_bytes()):
                return entry
        raise SluiceError(f"{ATTEMPTS} other writers were faster", where=self.store.uri, remedy="run the push again")

    def keep(self, folder: Path) -> str:
        """Put a folder into the evidence; returns the digest that names it."""
        named = digest.of_tree(folder)
        self.store.upload(folder, f"{EVIDENCE}/{named.removeprefix('sha256:')}")
        return named

    def fetch(self, named: str, out: Path) -> None:
        """Get a folder of the evidence and check its digest.

        Raises:
            SluiceError: it is not there or is not what its name says.
        """
        out.mkdir(parents=True, exist_ok=True)
        self.store.download(f"{EVIDENCE}/{named.removeprefix('sha256:')}", out)
        if digest.of_tree(out) != named:
            raise SluiceError(f"the evidence {named[:19]}... is missing or was changed", where=self.store.uri,
                              remedy="see `sluice ledger verify`; restore it from a backup")  # fmt: skip

    def verify(self) -> list[str]:
        """What is wrong with the ledger, in sentences: gaps, changed or reordered entries, missing or changed evidence."""
        problems, before, expected = [], FIRST, 1
        for number in self.numbers():
            if number != expected:
                problems.append(f"entry {expected} is missing" if number == expected + 1 else
                                f"entries {expected} to {number - 1} are missing")  # fmt: skip
            try:
                content = self.store.get(_key(number))
                entry = Entry.model_validate_json(content)
            except ValidationError as error:
                problems.append(f"entry {number} cannot be read: {error.error_count()} fields are wrong")
                before, expected = "", number + 1
                continue
            if entry.number != number:
                problems.append(f"entry {number} says that it is number {entry.number}")
            if before and entry.previous != before:
                problems.append(f"entry {number} does not follow from entry {number - 1}: one of the two was changed")
            if content != entry.to_bytes():
                problems.append(f"entry {number} is not in canonical form: it was edited")
            problems += [f"entry {number}: {problem}" for problem in self._evidence_problems(entry)]
            before, expected = digest.of_bytes(content), number + 1
        return problems

    def _evidence_problems(self, entry: Entry) -> Iterator[str]:
        for name, named in entry.evidence.items():
            with tempfile.TemporaryDirectory() as scratch:
                try:
                    self.fetch(named, Path(scratch))
                except SluiceError:
                    yield f"the evidence {name!r} is missing or was changed"


class OutrunError(SluiceError):
    """Another run changed the champion in the meantime."""

    def __init__(self, champion: Entry | None) -> None:
        now = f"version {champion.number}" if champion else "none"
        super().__init__(f"the champion changed since the judgement: it is now {now}",
                         remedy="run the pipeline again, so that the challenger is judged against it")  # fmt: skip


def _key(number: int) -> str:
    return f"{ENTRIES}/{number:08d}.json"
