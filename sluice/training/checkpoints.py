"""Checkpoints: where a training that was killed left off, at any storage URI, under the digest of all that it is made of."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError, first_line
from sluice.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STATE = "state"


@dataclass(frozen=True)
class Checkpoint:
    """What a training goes on from.

    Attributes:
        arrays: every variable's value, in order.
        state: everything else, as a JSON value; ``step`` among it.
    """

    arrays: list[np.ndarray]
    state: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints of one training. No URI: nothing is kept, and nothing found.

    Attributes:
        uri: folder of all trainings' checkpoints.
        key: digest of everything that decides the weights.
        every: steps between two.
        writes: whether this process is the one of several that writes.
    """

    uri: str
    key: str
    every: int
    writes: bool = True

    def latest(self) -> Checkpoint | None:
        """The last checkpoint, if there is one.

        Raises:
            SluiceError: it cannot be read.
        """
        if not self.uri:
            return None
        with self._told("read"):
            if not (keys := self._keys()):
                return None
            content = io.BytesIO(self._store.get(keys[-1]))
        try:
            with np.load(content, allow_pickle=False) as held:
                arrays = [held[str(index)] for index in range(len(held.files) - 1)]
                return Checkpoint(arrays, json.loads(held[STATE].tobytes()))
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise SluiceError(f"the checkpoint cannot be read: {error}", where=f"{self.uri}/{keys[-1]}",
                              remedy="remove it: the training begins anew") from error  # fmt: skip

    def due(self, before: int, now: int) -> bool:
        """Whether one is due between two steps."""
        return bool(self.uri) and self.writes and before // self.every != now // self.every

    def save(self, step: int, arrays: Sequence[np.ndarray], state: dict[str, Any]) -> None:
        """Write a checkpoint whole, then remove those before it.

        Raises:
            SluiceError: the store does not take it.
        """
        stream = io.BytesIO()
        packed = np.frombuffer(json.dumps({**state, "step": step}).encode(), np.uint8)
        named: dict[str, Any] = {STATE: packed, **{str(index): array for index, array in enumerate(arrays)}}
        np.savez(stream, **named)
        new = f"{self._folder}/step-{step:09d}.npz"
        with self._told("written"):
            old = self._keys()
            self._store.put(new, stream.getvalue())
            self._store.delete(*(key for key in old if key != new))

    def clear(self) -> None:
        """Remove all: the training is done."""
        if self.uri and self.writes:
            with self._told("removed"):
                self._store.delete(*self._keys())

    @contextlib.contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """What the store raises, in words."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (OSError, BaseError) as error:
            raise SluiceError(f"checkpoints cannot be {done}: {first_line(error)}", where=f"trainer.checkpoints: {self.uri}",
                              remedy="check the address, the room there and what the step may do") from error  # fmt: skip

    @property
    def _folder(self) -> str:
        return self.key.removeprefix("sha256:")[:32]

    @property
    def _store(self) -> Store:
        return Store.at(self.uri)

    def _keys(self) -> list[str]:
        return sorted(key for key in self._store.keys(self._folder) if key.endswith(".npz"))
