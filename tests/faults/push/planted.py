"""Faults in the middle of a push: killed at every step, a store that fails or whose answer is lost at every call, a full
disk, many at once.

After each, whatever a server would load is a whole blessed version, the ledger verifies, every number stands for one
decision, and the next push completes. `python -m tests.faults.push 100` repeats them and prints a table.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion import chain
from sluice.promotion import push as push_module
from sluice.promotion.destinations import base
from sluice.promotion.destinations.folder import LAST, LocalFolder, ObjectStore
from sluice.promotion.ledger import Kind, Ledger
from sluice.promotion.publish import repair
from sluice.promotion.rollback import rollback
from sluice.storage import Store
from tests.promotion import made

FORK = multiprocessing.get_context("forkserver")
"""Children of a process that has imported everything and run nothing: obstore's threads do not survive a fork."""
FORK.set_forkserver_preload(["tests.faults.push.planted"])
CALLS = ("get", "put", "put_stream", "put_if_absent", "has", "copy", "keys", "delete", "upload", "download")


def die(*_: Any, **__: Any) -> None:
    """What the kernel's killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, *, call: int = 1, fault: Callable[..., Any] = die) -> None:
    """Have a function fail at its n-th call, before it does anything."""
    _wrap(owner, name, call, fault, after=False)


def after(owner: Any, name: str, *, call: int = 1, fault: Callable[..., Any] = die) -> None:
    """Have a function fail at its n-th call, when it has done its work."""
    _wrap(owner, name, call, fault, after=True)


def _wrap(owner: Any, name: str, call: int, fault: Callable[..., Any], *, after: bool) -> None:
    original, calls = getattr(owner, name), 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        hit = calls == call  # other threads count on
        if hit and not after:
            fault()
        made = original(*args, **kwargs)
        if hit and after:
            fault()
        return made

    setattr(owner, name, wrapped)


def _kind(store: bool) -> Any:
    return ObjectStore if store else LocalFolder


def _half_staged(store: bool) -> None:
    if store:
        after(Store, "put", call=2)
    else:
        before(digest, "of_json", call=3)  # the copy's digest is taken when all is copied; die before it is


def _half_published(store: bool) -> None:
    if store:
        after(Store, "copy", call=2)
    else:
        before(LocalFolder, "publish")


def _half_removed(store: bool) -> None:
    if store:
        after(Store, "delete", call=4)
    else:
        before(LocalFolder, "discard", call=1)


STEPS: dict[str, Callable[[bool], None]] = {
    "before the verdicts are checked": lambda _: after(push_module, "repair"),
    "verdicts kept as evidence": lambda _: before(push_module, "staged"),
    "half staged": _half_staged,
    "staged": lambda store: after(_kind(store), "stage"),
    "evidence kept": lambda _: before(Ledger, "append"),
    "entry written, hint not": lambda _: before(chain, "write_hint"),
    "entry and hint written": lambda _: after(Ledger, "append"),
    "half published": _half_published,
    "published": lambda store: after(_kind(store), "publish"),
    "old versions half removed": _half_removed,
    "all done": lambda _: after(push_module, "retain"),
}
"""Step of a push to what kills it there."""


@dataclass
class Line:
    """A ledger, a destination and their candidates.

    Attributes:
        folder: where the candidates are, and all else where there is no root.
        store: whether the destination is an object store.
        root: URI of ledger and destination on a server.
    """

    folder: Path
    store: bool = False
    root: str = ""
    candidates: int = 0

    @property
    def ledger(self) -> str:
        return f"{self.root or self.folder}/ledger"

    @property
    def destination(self) -> str:
        return f"{self.root or self.folder}/published"

    @contextmanager
    def published(self) -> Iterator[Path]:
        """The destination as a folder here."""
        if not self.root:
            yield Path(self.destination)
            return
        with tempfile.TemporaryDirectory() as scratch:
            Store.at(self.destination).download("", Path(scratch))
            yield Path(scratch)

    def candidate(self) -> made.Candidate:
        """A new candidate, judged against the champion of now."""
        self.candidates += 1
        new = made.candidate(self.folder / f"candidate-{self.candidates}", f"model {self.candidates}")
        new.policies["push"] = {"keep": 2}
        champion = Ledger.at(self.ledger).champion()
        new.judge(champion.version if champion else None)
        return new

    def push(self) -> Kind:
        """Judge and push a candidate."""
        with as_store(self.store):
            return self.candidate().push(self.ledger, self.destination).kind


@contextmanager
def as_store(store: bool) -> Iterator[None]:
    """Take local folders for object stores: the same code as for S3 and the others, on obstore's local backend."""
    original = base.at
    if store:
        base.at = lambda uri: ObjectStore(uri, Store.at(uri))  # type: ignore[assignment]
    try:
        yield
    finally:
        base.at = original


def check(line: Line) -> None:
    """What must hold after any fault."""
    book = Ledger.at(line.ledger)
    assert book.verify() == []
    promoted = {
        entry.version: entry.model for entry in book.entries() if entry.kind in (Kind.PROMOTED, Kind.ROLLED_BACK)
    }
    with line.published() as published:
        for folder in published.glob("[0-9]*"):
            if (folder / LAST[-1]).exists():  # a server would load it
                assert _digest(folder) == promoted[int(folder.name)], f"{folder} is not what was blessed"


def _digest(folder: Path) -> str:
    """Of what is published, without the mark of a version, and without what obstore's local backend leaves where it is killed."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        subprocess.run(["cp", "-r", folder, copy], check=True)
        for path in [copy / ".published", *copy.rglob("*#[0-9]*")]:
            path.unlink(missing_ok=True)
        return digest.of_tree(copy)


def completes(line: Line) -> None:
    """The next push completes, and what it published is served."""
    assert line.push() is Kind.PROMOTED
    check(line)
    champion = Ledger.at(line.ledger).champion()
    with as_store(line.store):
        place = base.at(line.destination)
        assert champion is not None
        assert place.versions()[-1] == champion.version
        assert place.staged() == []
        with line.published() as published:
            assert _digest(published / str(champion.version)) == champion.model


def child(work: Callable[..., None], *arguments: Any) -> int:
    """Run something in a process of its own; returns its exit status, negative for a signal."""
    process = FORK.Process(target=_quietly, args=(work, arguments, dict(os.environ)))
    process.start()
    process.join(60)
    assert process.exitcode is not None, "the push hangs"
    return process.exitcode


def _quietly(work: Callable[..., None], arguments: tuple[Any, ...], environment: dict[str, str]) -> None:
    os.environ.update(environment)  # the fork server is older than some of it
    with open(os.devnull, "w") as devnull, redirect_stderr(devnull):  # noqa: PTH123
        work(*arguments)


def killed_at(folder: Path, step: str, *, store: bool, root: str = "") -> None:
    """Kill a push at a step, then push again."""
    line = Line(folder, store, root)
    for _ in range(3):
        line.push()
    status = child(_push_and_die, line, step)
    assert status == -signal.SIGKILL, f"the push was not killed at {step!r}: it ended with {status}"
    line.candidates += 1
    check(line)
    completes(line)


def _push_and_die(line: Line, step: str) -> None:
    with as_store(line.store):
        new = line.candidate()
        STEPS[step](line.store)
        new.push(line.ledger, line.destination)


def killed_in_rollback(folder: Path, *, store: bool) -> None:
    """Kill a rollback between its entry and its publication: the next run finishes it."""
    line = Line(folder, store)
    line.push()
    line.push()
    assert child(_roll_back_and_die, line) == -signal.SIGKILL
    check(line)
    with as_store(store):
        champion = repair(Ledger.at(line.ledger))
        assert champion is not None
        assert (champion.kind, champion.restores) == (Kind.ROLLED_BACK, 1)
        assert base.at(line.destination).serves(champion.version)
    completes(line)


def _roll_back_and_die(line: Line) -> None:
    with as_store(line.store):
        after(Ledger, "append")
        rollback(line.ledger, reason="worse", by="ann")


def failing_store(folder: Path, *, lost: bool = False) -> int:
    """Let the store fail at its first call, then at its second, and so on; returns how many calls a push makes.

    Args:
        folder: where.
        lost: the store does what it is asked, and its answer is lost.
    """
    line, call = Line(folder, store=True), 0
    line.push()
    while True:
        call += 1
        status = child(_push_on_a_failing_store, line, call, lost)
        line.candidates += 1
        check(line)
        if status == 0:
            return call - 1
        assert status == 1, f"call {call}: exit status {status}"
        if call % 10 == 0:
            completes(line)


def _push_on_a_failing_store(line: Line, call: int, lost: bool) -> None:
    calls = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            hit = calls == call  # other threads count on
            made = None if hit and not lost else original(*args, **kwargs)
            if hit:
                raise OSError("the store does not answer")
            return made

        return wrapped

    with as_store(line.store):
        new = line.candidate()
        for name in CALLS:
            setattr(Store, name, counted(getattr(Store, name)))
        try:
            new.push(line.ledger, line.destination)
        except (OSError, SluiceError) as error:
            sys.exit(1 if "does not answer" in str(error) else 2)
    sys.exit(0 if calls < call else 1)  # a lost hint is told and changes nothing


def at_once(folder: Path, pushers: int, *, store: bool, root: str = "") -> None:
    """Let many push at the same moment, each judged against the same champion: one wins, the others are told."""
    line = Line(folder, store, root)
    line.push()
    start = time.time() + 0.2 + 0.01 * pushers
    candidates = [line.candidate() for _ in range(pushers)]
    processes = [
        FORK.Process(target=_quietly, args=(_push_at, (line, new, start), dict(os.environ))) for new in candidates
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert {process.exitcode for process in processes} == {0}
    kinds = [entry.kind for entry in Ledger.at(line.ledger).entries()]
    assert kinds.count(Kind.PROMOTED) == 2
    assert kinds.count(Kind.REFUSED) == pushers - 1
    check(line)
    completes(line)


def _push_at(line: Line, new: made.Candidate, start: float) -> None:
    time.sleep(max(0.0, start - time.time()))
    with as_store(line.store):
        new.push(line.ledger, line.destination)


def full_disk(folder: Path, free: int, *, store: bool) -> None:
    """Let the disk run full in the middle of a push, then free some.

    Args:
        folder: an empty file system of its own, see `small_disk`.
        free: KiB left to the push.
        store: whether the destination is an object store.
    """
    line = Line(folder, store)
    line.push()
    new = line.candidate()
    used = os.statvfs(folder)
    room = (used.f_bavail * used.f_frsize >> 10) - free
    ballast = folder / "ballast"
    ballast.write_bytes(b"\0" * max(0, room << 10))
    status = child(_push_on_a_full_disk, line, new)
    assert status in (0, 1)
    check(line)
    ballast.unlink()
    completes(line)


def _push_on_a_full_disk(line: Line, new: made.Candidate) -> None:
    with as_store(line.store):
        try:
            new.push(line.ledger, line.destination)
        except Exception as error:
            sys.exit(1 if "No space left" in str(error) else 2)


@contextmanager
def small_disk(mebibytes: int = 4) -> Iterator[Path]:
    """A file system of a few MiB.

    Raises:
        PermissionError: this user may not mount one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        made_here = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", scratch], capture_output=True, check=False
        )
        if made_here.returncode:
            raise PermissionError(made_here.stderr.decode().strip())
        try:
            yield Path(scratch)
        finally:
            subprocess.run(["umount", scratch], check=True)
