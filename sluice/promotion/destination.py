"""Destinations: where versions are published, in TensorFlow Serving's layout, ``<destination>/<version>/``.

A model is staged whole first (under a name that no server looks at), then published under its number. Locally that
is one rename. On an object store the files are copied, the one that makes a version loadable last.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sluice import digest, storage
from sluice.errors import SluiceError
from sluice.storage import Store

if TYPE_CHECKING:
    from pathlib import Path

STAGING = ".staging"
LAST = ("saved_model.pb", "model.json")
"""Files without which a server does not take a folder for a version; written last."""


class Destination(Protocol):
    """Where versions are published."""

    def stage(self, model: Path) -> str:
        """Copy a model there, out of servers' sight; returns the name it is staged under."""

    def publish(self, staged: str, version: int) -> None:
        """Publish what is staged as a version; nothing happens where that was done already."""

    def discard(self, staged: str) -> None:
        """Remove what is staged."""

    def fetch(self, version: int, out: Path) -> None:
        """Get a published version."""

    def has(self, version: int) -> bool:
        """Whether a version is published, whole."""


def at(uri: str) -> Destination:
    """The destination at a URI."""
    return LocalFolder(storage.local_path(uri)) if storage.is_local(uri) else ObjectStore(Store.at(uri))


@dataclass(frozen=True)
class LocalFolder:
    """A folder on this machine."""

    root: Path

    def stage(self, model: Path) -> str:
        """See `Destination.stage`."""
        name = uuid.uuid4().hex
        shutil.copytree(model, self.root / STAGING / name)
        if digest.of_tree(self.root / STAGING / name) != digest.of_tree(model):
            raise SluiceError("the copy is not what was copied", where=str(self.root), remedy="check the disk")
        return name

    def publish(self, staged: str, version: int) -> None:
        """See `Destination.publish`."""
        if not self.has(version):
            (self.root / STAGING / staged).rename(self.root / str(version))

    def discard(self, staged: str) -> None:
        """See `Destination.discard`."""
        shutil.rmtree(self.root / STAGING / staged, ignore_errors=True)

    def fetch(self, version: int, out: Path) -> None:
        """See `Destination.fetch`."""
        shutil.copytree(self.root / str(version), out, dirs_exist_ok=True)

    def has(self, version: int) -> bool:
        """See `Destination.has`."""
        return (self.root / str(version)).is_dir()


@dataclass(frozen=True)
class ObjectStore:
    """A prefix in an object store."""

    store: Store

    def stage(self, model: Path) -> str:
        """See `Destination.stage`."""
        name = uuid.uuid4().hex
        self.store.upload(model, f"{STAGING}/{name}")
        return name

    def publish(self, staged: str, version: int) -> None:
        """See `Destination.publish`."""
        if self.has(version):
            return
        source = f"{STAGING}/{staged}"
        keys = sorted(self.store.keys(source), key=lambda key: (key.rpartition("/")[2] in LAST, key))
        for key in keys:
            self.store.copy(key, f"{version}{key.removeprefix(source)}")
        self.store.put(f"{version}/.published", staged.encode())
        self.discard(staged)

    def discard(self, staged: str) -> None:
        """See `Destination.discard`."""
        self.store.delete(*self.store.keys(f"{STAGING}/{staged}"))

    def fetch(self, version: int, out: Path) -> None:
        """See `Destination.fetch`."""
        self.store.download(str(version), out)
        (out / ".published").unlink(missing_ok=True)

    def has(self, version: int) -> bool:
        """See `Destination.has`."""
        return f"{version}/.published" in set(self.store.keys(str(version)))
