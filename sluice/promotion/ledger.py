"""The ledger: immutable numbered entries in a folder at any store, each carrying the digest of the one before.

``entries/00000001.json`` is created with put-if-absent, so that the store decides a race; ``evidence/<sha256>/`` holds
what an entry refers to, written before it and named by its digest. Clocks are recorded and never compared.

Every entry names the champion, the policies in force and the highest version as of itself, inside the chain: the newest
entry has them all, however long the history. ``head.json`` says where the newest entry was seen last. It is a hint that
is trusted in nothing: entries have no gaps, so the newest is found from any hint, or from none.

Digests are of the bytes that are stored, so that a later release with more fields verifies what an earlier one wrote
(`sluice.promotion.entry` has the formats). What happens often goes to the journal beside it (`sluice.promotion.journal`).
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion import chain
from sluice.promotion.entry import SERVED, Entry, Head, Kind, champion_of, objections, policies_of
from sluice.promotion.journal import Journal
from sluice.storage import Store
from sluice.stored import NewerFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES, EVIDENCE, HEAD = "entries", "evidence", "head.json"
FIRST = "sha256:" + "0" * 64
"""What the first entry names as the one before it."""
ATTEMPTS = 100

__all__ = ["SERVED", "AbsentError", "Entry", "Kind", "Ledger", "OutrunError"]


@dataclass(frozen=True)
class Ledger:
    """A ledger at a URI."""

    store: Store

    @classmethod
    def at(cls, uri: str) -> Ledger:
        """Open the ledger at a URI; an empty folder is an empty ledger."""
        return cls(Store.at(uri))

    @property
    def journal(self) -> Journal:
        """The journal beside it."""
        return Journal(self.store)

    def numbers(self) -> list[int]:
        """Numbers of all entries, ascending."""
        names = (Path(key).stem for key in self.store.keys(ENTRIES))
        return sorted(int(name) for name in names if name.isdigit())

    def entry(self, number: int) -> Entry:
        """One entry.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: it is not there or cannot be read.
        """
        try:
            return Entry.parse(self.store.get(_key(number)), f"{self.store.uri}: entry {number}")
        except FileNotFoundError:
            raise AbsentError(f"no entry {number}", where=self.store.uri, remedy="see `sluice ledger log`") from None
        except ValueError as error:
            raise SluiceError(
                f"entry {number} cannot be read", where=self.store.uri, remedy="see `sluice ledger verify`"
            ) from error

    def version(self, version: int) -> Entry:
        """The entry that published a version, found in a few reads.

        Raises:
            SluiceError: no entry did.
        """
        last = self.last()
        newest = last.number if last else 0
        if 1 <= version <= newest and (entry := self.entry(version)).version == version and entry.format == 1:
            return entry  # in format 1 a version is its entry's number
        low, high = 1, newest + 1
        while low < high:
            middle = (low + high) // 2
            entry = self.entry(middle)
            low, high = (low, middle) if entry.format > 1 and entry.last_version >= version else (middle + 1, high)
        if version < 1 or low > newest or (entry := self.entry(low)).version != version:
            raise AbsentError(f"no version {version}", where=self.store.uri, remedy="see `sluice ledger log`")
        return entry

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
        hint = chain.read_hint(self.store, HEAD)
        number = chain.newest(hint, lambda entry: self.store.has(_key(entry)), self.numbers)
        return self.entry(number) if number else None

    def champion(self) -> Entry | None:
        """The entry that says what is served, if any."""
        return self._named(self.last(), "champion")

    def policies_in_force(self) -> Entry | None:
        """The entry that says which policies are in force, if any."""
        return self._named(self.last(), "policies_entry")

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
        journal = self.journal.heads()
        for _ in range(ATTEMPTS):
            last = self.last()
            if kind in SERVED and (last.champion if last else 0) != (after.number if after else 0):
                raise OutrunError(self._named(last, "champion"))
            number, highest = last.number + 1 if last else 1, self._last_version(last)
            version = highest + 1 if kind in SERVED else 0
            entry = Entry(
                number=number, previous=last.digest if last else FIRST, kind=kind, version=version,
                last_version=max(highest, version), champion=champion_of(kind, number, last, fields),
                policies_entry=policies_of(kind, number, last), time=datetime.now(UTC).isoformat(timespec="seconds"),
                journal=journal, **fields,
            )  # fmt: skip
            # Written by this call, too, where the store's answer was lost and its client asked again.
            if self.store.put_if_absent(_key(number), entry.to_bytes()) or self.entry(number) == entry:
                chain.write_hint(self.store, HEAD, number)
                return entry
        raise SluiceError(f"{ATTEMPTS} other writers were faster", where=self.store.uri, remedy="run the push again")

    def prune(self, before: datetime, *, reason: str, by: str) -> Entry | None:
        """Remove old parts of the journal, on record: the entry first, then the parts.

        Args:
            before: records from before this moment go, a whole part at a time; a writer's newest part stays.
            reason: why, for the record.
            by: who.

        Returns:
            The entry; None where there is nothing to remove.
        """
        self.journal.remove(self._pruned())  # what an earlier call could not remove
        if not (marks := self.journal.older(before)):
            return None
        removed = (f"the journal of {writer}: removed up to part {mark.part}" for writer, mark in marks.items())
        entry = self.append(Kind.PRUNED, pruned=marks, reasons=(f"{by}: {reason}", *removed), facts={"by": by})
        self.journal.remove(marks)
        return entry

    def _pruned(self) -> dict[str, Head]:
        """Writer to the newest part of its journal that an entry allows to be removed."""
        marks: dict[str, Head] = {}
        for entry in self.entries():
            for writer, mark in entry.pruned.items():
                marks.setdefault(writer, mark)  # the newest entry's
        return marks

    def _named(self, last: Entry | None, by: str) -> Entry | None:
        number = getattr(last, by) if last else 0
        return last if last and last.number == number else self.entry(number) if number else None

    def _last_version(self, last: Entry | None) -> int:
        """The highest version given as of an entry; format 1 does not record it, and gives its entry's number."""
        while last is not None and last.format == 1 and last.kind not in SERVED:
            last = self.entry(last.number - 1) if last.number > 1 else None
        if last is None:
            return 0
        return last.last_version if last.format > 1 else last.version

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
        """What is wrong with ledger and journal, in sentences: gaps, changed or reordered entries, missing evidence, ..."""
        problems, before, expected = [], FIRST, 1
        last: Entry | None = None
        last_version = 0
        kept: dict[str, bool] = {}
        anchors: dict[str, list[Head]] = {}
        pruned: dict[str, Head] = {}
        for number in self.numbers():
            if number != expected:
                problems.append(f"entry {expected} is missing" if number == expected + 1 else
                                f"entries {expected} to {number - 1} are missing")  # fmt: skip
                before, last = "", None
            content = self.store.get(_key(number))
            try:
                entry = Entry.parse(content)
                canonical = digest.canonical_json(json.loads(content))
            except NewerFormatError as error:
                problems.append(f"entry {number} cannot be judged: {error.what}")
                before, expected, last = digest.of_bytes(content), number + 1, None
                continue
            except ValueError as error:
                problems.append(f"entry {number} cannot be read ({type(error).__name__})")
                before, expected, last = "", number + 1, None
                continue
            if entry.number != number:
                problems.append(f"entry {number} says that it is number {entry.number}")
            if before and entry.previous != before:
                problems.append(f"entry {number} does not follow from entry {number - 1}: one of the two was changed")
            if content != canonical:
                problems.append(f"entry {number} is not in canonical form: it was edited")
            if last or number == 1:
                problems += [f"entry {number} {problem}" for problem in objections(entry, last, last_version)]
            problems += [f"entry {number}: {problem}" for problem in self._evidence_problems(entry, kept)]
            for writer, head in entry.journal.items():
                anchors.setdefault(writer, []).append(head)
            pruned |= entry.pruned
            last, last_version = entry, max(last_version, entry.version)
            before, expected = digest.of_bytes(content), number + 1
        if (seen := chain.read_hint(self.store, HEAD)) >= expected:
            problems.append(f"the newest entry was number {seen} once, and is {expected - 1} now: the end was cut off")
        return problems + self.journal.verify(anchors, pruned)

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
        now = f"version {champion.version}" if champion else "none"
        super().__init__(f"the champion changed since the judgement: it is now {now}",
                         remedy="run the pipeline again, so that the challenger is judged against it")  # fmt: skip


def _key(number: int) -> str:
    return f"{ENTRIES}/{number:08d}.json"
