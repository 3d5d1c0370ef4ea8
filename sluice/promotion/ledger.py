"""The ledger: immutable numbered entries in a folder at any store, each carrying the digest of the one before.

``entries/00000001.json`` is created with put-if-absent, so that the store decides a race; ``evidence/<sha256>/`` holds
what an entry refers to, written before it and named by its digest. Clocks are recorded and never compared.

Every entry names the champion and the law (the policies in force) as of itself, inside the chain: the newest entry
tells both, however long the history. ``head.json`` says where the newest entry was seen last. It is a hint that is
trusted in nothing: entries have no gaps, so the newest is found from any hint, or from none.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice import digest
from sluice.errors import SluiceError, first_line
from sluice.progress import progress
from sluice.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES, EVIDENCE, HEAD = "entries", "evidence", "head.json"
FIRST = "sha256:" + "0" * 64
"""What the first entry names as the one before it."""
ATTEMPTS = 100


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


SERVED = (Kind.PROMOTED, Kind.ROLLED_BACK)


class Entry(BaseModel):
    """One decision.

    Attributes:
        number: 1, 2, 3, ...; the version under which a promoted model is published.
        previous: digest of the entry before.
        kind: what was decided.
        champion: number of the entry whose version is served as of this entry; 0 where none is.
        law: number of the entry that put the policies in force as of this entry; 0 where none did.
        time: when, by the clock of who wrote it (RFC 3339); for people only.
        use_case: name of the use case.
        span: the span judged, in explicit form.
        run: the pipeline run.
        model: digest of the model; empty where a data set was refused before there was one.
        destination: URI under which it was published, or several, separated by white space.
        staged: name of the folder in each destination that held the model before it was published.
        verdicts: gate to its verdict's digest; the verdicts are in the evidence.
        evidence: name (``statistics``, ``schema``, ``verdict-data``, ...) to the digest that names its folder.
        policies: gate (and ``push``) to its policy's digest.
        reasons: why, in sentences.
        restores: the number rolled back to.
        withdraws: the number withdrawn.
        facts: who, image, commit, ...: whatever else the run knew.
    """

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
            raise AbsentError(f"no entry {number}", where=self.store.uri, remedy="see `sluice ledger log`") from None
        except ValidationError as error:
            raise SluiceError(f"entry {number} cannot be read: {error.error_count()} fields are wrong", where=self.store.uri,
                              remedy="see `sluice ledger verify`") from error  # fmt: skip

    def entries(self) -> Iterator[Entry]:
        """All entries, the newest first.

        Raises:
            SluiceError: one in between is missing.
        """
        last = self.last()
        if last:
            yield last
            for number in range(last.number - 1, 0, -1):
                try:
                    yield self.entry(number)
                except AbsentError:
                    raise SluiceError(f"entry {number} is missing", where=self.store.uri,
                                      remedy="see `sluice ledger verify`") from None  # fmt: skip

    def last(self) -> Entry | None:
        """The newest entry, if any: found in a few reads from the hint, however many entries there are."""
        number = self._hint()
        entry = self._find(number) if number else None
        if entry is None:  # no hint, or one that is wrong
            numbers = self.numbers()
            return self.entry(numbers[-1]) if numbers else None
        step = 1
        while (later := self._find(entry.number + step)) is not None:
            entry, step = later, 2 * step
        while step := step // 2:
            entry = self._find(entry.number + step) or entry
        return entry

    def champion(self) -> Entry | None:
        """The entry that says what is served, if any."""
        return self._named(self.last(), "champion")

    def law(self) -> Entry | None:
        """The entry that says which policies are in force, if any."""
        return self._named(self.last(), "law")

    def commits(self, staged: str) -> bool:
        """Whether the champion is what was staged under a name; that is its promotion's or rollback's alone."""
        champion = self.champion()
        return champion is not None and champion.staged == staged

    def champion_before(self, entry: Entry) -> Entry | None:
        """The entry that said what was served when another was written, if any."""
        number = self.entry(entry.number - 1).champion if entry.number > 1 else 0
        return self.entry(number) if number else None

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
            OutrunError: the champion is another one by now.
            SluiceError: the store is too busy.
        """
        for _ in range(ATTEMPTS):
            last = self.last()
            if kind in SERVED and (last.champion if last else 0) != (after.number if after else 0):
                raise OutrunError(self._named(last, "champion"))
            number = last.number + 1 if last else 1
            entry = Entry(
                number=number, previous=last.digest if last else FIRST, kind=kind,
                champion=_champion(kind, number, last, fields), law=_law(kind, number, last),
                time=datetime.now(UTC).isoformat(timespec="seconds"), **fields,
            )  # fmt: skip
            if self.store.put_if_absent(_key(entry.number), entry.to_bytes()) or self._find(entry.number) == entry:
                self._remember(entry)  # ours, even where the store's first answer was lost and its client asked again
                return entry
        raise SluiceError(f"{ATTEMPTS} other writers were faster", where=self.store.uri, remedy="run the push again")

    def _find(self, number: int) -> Entry | None:
        """An entry, or None where it is not there."""
        try:
            return self.entry(number)
        except AbsentError:
            return None

    def _named(self, last: Entry | None, by: str) -> Entry | None:
        number = getattr(last, by) if last else 0
        return last if last and last.number == number else self.entry(number) if number else None

    def _hint(self) -> int:
        try:
            return max(0, int(json.loads(self.store.get(HEAD))["number"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0

    def _remember(self, entry: Entry) -> None:
        """Leave the hint. The entry stands already: a hint that cannot be written is told and costs a few reads."""
        try:
            self.store.put(HEAD, digest.canonical_json({"number": entry.number}))
        except Exception as error:
            progress(f"entry {entry.number} is written, the hint to it is not: {first_line(error)}")

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
        last: Entry | None = None
        kept: dict[str, bool] = {}
        for number in self.numbers():
            if number != expected:
                problems.append(f"entry {expected} is missing" if number == expected + 1 else
                                f"entries {expected} to {number - 1} are missing")  # fmt: skip
            try:
                content = self.store.get(_key(number))
                entry = Entry.model_validate_json(content)
            except ValidationError as error:
                problems.append(f"entry {number} cannot be read: {error.error_count()} fields are wrong")
                before, expected, last = "", number + 1, None
                continue
            if entry.number != number:
                problems.append(f"entry {number} says that it is number {entry.number}")
            if before and entry.previous != before:
                problems.append(f"entry {number} does not follow from entry {number - 1}: one of the two was changed")
            if content != entry.to_bytes():
                problems.append(f"entry {number} is not in canonical form: it was edited")
            problems += [f"entry {number} {problem}" for problem in _claims(entry, last)]
            problems += [f"entry {number}: {problem}" for problem in self._evidence_problems(entry, kept)]
            last = entry
            before, expected = digest.of_bytes(content), number + 1
        if self._hint() >= expected:
            problems.append(
                f"the newest entry was number {self._hint()} once, and is {expected - 1} now: the end was cut off"
            )
        return problems

    def _evidence_problems(self, entry: Entry, kept: dict[str, bool]) -> Iterator[str]:
        """What is wrong with an entry's evidence; `kept` remembers what was looked at, as entries share some."""
        for name, named in entry.evidence.items():
            if named not in kept:
                kept[named] = self._is_kept(named)
            if not kept[named]:
                yield f"the evidence {name!r} is missing or was changed"

    def _is_kept(self, named: str) -> bool:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                self.fetch(named, Path(scratch))
            except SluiceError:
                return False
        return True


class AbsentError(SluiceError):
    """There is no such entry."""


class OutrunError(SluiceError):
    """Another run changed the champion in the meantime."""

    def __init__(self, champion: Entry | None) -> None:
        now = f"version {champion.number}" if champion else "none"
        super().__init__(f"the champion changed since the judgement: it is now {now}",
                         remedy="run the pipeline again, so that the challenger is judged against it")  # fmt: skip


def _champion(kind: Kind, number: int, last: Entry | None, fields: dict[str, Any]) -> int:
    """Who is served as of an entry."""
    if kind in SERVED:
        return number
    served = last.champion if last else 0
    if kind is Kind.WITHDRAWN and fields.get("withdraws") == served:
        return fields.get("restores") or 0
    return served


def _law(kind: Kind, number: int, last: Entry | None) -> int:
    """Which entry's policies are in force as of an entry: those of the first promotion, until others are adopted."""
    in_force = last.law if last else 0
    return number if kind is Kind.ADOPTED or (kind is Kind.PROMOTED and not in_force) else in_force


def _claims(entry: Entry, last: Entry | None) -> Iterator[str]:
    """What an entry claims of champion and law that does not follow from the one before."""
    if last is None and entry.number > 1:
        return
    fields = {"restores": entry.restores, "withdraws": entry.withdraws}
    if entry.champion != _champion(entry.kind, entry.number, last, fields):
        yield f"names champion {entry.champion}, which does not follow from the entry before"
    if entry.law != _law(entry.kind, entry.number, last):
        yield f"names the law of entry {entry.law}, which does not follow from the entry before"


def _key(number: int) -> str:
    return f"{ENTRIES}/{number:08d}.json"
