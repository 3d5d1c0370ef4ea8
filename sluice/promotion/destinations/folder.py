"""A folder in TensorFlow Serving's layout, ``<destination>/<version>/``, on this machine or in an object store.

Locally a version is published by one rename. On an object store its files are copied, those that make it loadable
last, and ``.published`` after them.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.storage import Store

STAGING, PUBLISHED = ".staging", ".published"
REMOVED = "removed-"
"""How the staged name begins of what is being removed."""
LAST = ("model.json", "saved_model.pb")
"""Files without which a server does not take a folder for a version; written last, in this order."""
BLOCK = 1 << 23


@dataclass(frozen=True)
class LocalFolder:
    """A folder on this machine."""

    uri: str
    root: Path

    def stage(self, model: Path, name: str) -> str:
        """See `Destination.stage`; files are copied, and the copies hashed, several at a time."""
        target = self.root / STAGING / name
        for folder in (model, *(path for path in model.rglob("*") if path.is_dir())):
            (target / folder.relative_to(model)).mkdir(parents=True)

        def copy(source: Path, part: Path) -> str:
            shutil.copyfile(source, target / part)
            return digest.of_file(target / part)

        return digest.of_copied(model, copy)

    def discard(self, name: str) -> None:
        """See `Destination.discard`."""
        gone = self.root / STAGING / (name if name.startswith(REMOVED) else f"{REMOVED}{uuid.uuid4().hex}")
        with contextlib.suppress(FileNotFoundError):  # nothing is there, or another run removes it
            (self.root / STAGING / name).rename(gone)  # whoever still writes to it is told
        while gone.exists():
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(gone)

    def staged(self) -> list[str]:
        """See `Destination.staged`."""
        return [path.name for path in (self.root / STAGING).glob("*")]

    def publish(self, name: str, version: int, *, at_once: bool = False) -> None:
        """See `Destination.publish`."""
        if self.serves(version):
            return
        try:
            (self.root / STAGING / name).rename(self.root / str(version))
        except OSError:
            if not self.serves(version):  # another run was faster
                raise

    def serves(self, version: int) -> bool:
        """See `Destination.serves`."""
        return (self.root / str(version)).is_dir()

    def withdraw(self, version: int, previous: int | None) -> None:
        """See `Destination.withdraw`; TensorFlow Serving takes the highest number that is there."""
        self.remove(version)

    def fetch(self, version: int, out: Path) -> None:
        """See `Destination.fetch`."""
        shutil.copytree(self.root / str(version), out, dirs_exist_ok=True)

    def versions(self) -> list[int]:
        """See `Destination.versions`."""
        found = self.root.iterdir() if self.root.is_dir() else ()
        return sorted(int(path.name) for path in found if path.name.isdigit() and path.is_dir())

    def remove(self, version: int) -> None:
        """See `Destination.remove`: out of servers' sight by one rename, then deleted."""
        if self.serves(version):
            (self.root / STAGING).mkdir(exist_ok=True)
            (self.root / str(version)).rename(self.root / STAGING / f"{REMOVED}{version}")
        self.discard(f"{REMOVED}{version}")


@dataclass(frozen=True)
class ObjectStore:
    """A prefix in an object store.

    Attributes:
        uri: as the use case has it.
        store: the prefix.
        nested: whether a version's files lie in ``<version>/<version>/``, so that ``<version>`` is itself a folder of
            versions; else in ``<version>/``.
    """

    uri: str
    store: Store
    nested: bool = False

    def _at(self, version: int) -> str:
        return f"{version}/{version}" if self.nested else str(version)

    def stage(self, model: Path, name: str) -> str:
        """See `Destination.stage`; files are hashed while they are sent, several at a time."""

        def send(source: Path, part: Path) -> str:
            key = f"{STAGING}/{name}/{part.as_posix()}"
            if source.stat().st_size <= BLOCK:  # one request instead of three
                content = source.read_bytes()
                self.store.put(key, content)
                return digest.of_bytes(content)
            hasher = hashlib.sha256()
            self.store.put_stream(key, _blocks(source, hasher))
            return f"sha256:{hasher.hexdigest()}"

        return digest.of_copied(model, send)

    def discard(self, name: str) -> None:
        """See `Destination.discard`."""
        self.store.delete(*self.store.keys(f"{STAGING}/{name}"))

    def staged(self) -> list[str]:
        """See `Destination.staged`."""
        return sorted({key.split("/")[1] for key in self.store.keys(STAGING)})

    def publish(self, name: str, version: int, *, at_once: bool = False) -> None:
        """See `Destination.publish`."""
        if self.serves(version):
            return
        try:
            self._publish(f"{STAGING}/{name}", version)
        except FileNotFoundError:
            if not self.serves(version):  # another run was faster
                raise
        self.store.put(f"{version}/{PUBLISHED}", name.encode())
        self.discard(name)

    def _publish(self, source: str, version: int) -> None:
        keys = list(self.store.keys(source))
        late = sorted(key for key in keys if key.rpartition("/")[2] in LAST)

        def copy(key: str) -> None:
            self.store.copy(key, f"{self._at(version)}{key.removeprefix(source)}")

        if not late:
            raise FileNotFoundError(f"nothing is staged as {source}")
        with ThreadPoolExecutor() as pool:
            list(pool.map(copy, sorted(set(keys) - set(late))))
        for key in late:
            copy(key)

    def serves(self, version: int) -> bool:
        """See `Destination.serves`."""
        return self.store.has(f"{version}/{PUBLISHED}")

    def withdraw(self, version: int, previous: int | None) -> None:
        """See `Destination.withdraw`."""
        self.remove(version)

    def fetch(self, version: int, out: Path) -> None:
        """See `Destination.fetch`."""
        self.store.download(self._at(version), out)
        (out / PUBLISHED).unlink(missing_ok=True)

    def versions(self) -> list[int]:
        """See `Destination.versions`."""
        names = (key.split("/") for key in self.store.keys(""))
        return sorted(int(parts[0]) for parts in names if parts[0].isdigit() and parts[1:] == [PUBLISHED])

    def remove(self, version: int) -> None:
        """See `Destination.remove`: what makes it loadable goes first, what makes it a version last."""
        mark = f"{version}/{PUBLISHED}"
        self.store.delete(*(f"{self._at(version)}/{name}" for name in reversed(LAST)))
        self.store.delete(*(key for key in self.store.keys(str(version)) if key != mark))
        self.store.delete(mark)


def _blocks(path: Path, hasher: hashlib._Hash) -> Iterator[bytes]:
    with path.open("rb") as reader:
        while block := reader.read(BLOCK):
            hasher.update(block)
            yield block
