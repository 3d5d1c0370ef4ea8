"""Arrays written batch by batch, which readers map into memory."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class ArrayFile:
    """A ``.npy`` file of known shape, written from its first row to its last.

    Written by plain writes and not through a map: on a full disk a map kills the process without a word, and object
    stores mounted as folders take only appends. It has its name only when it is whole.

    Args:
        path: the file.
        kind: type of its elements.
        shape: its shape, rows first.
    """

    def __init__(self, path: Path, kind: type, shape: tuple[int, ...]) -> None:
        self._path, self._kind, self._shape = path, np.dtype(kind), shape
        self._aside = path.with_name(f"{path.name}.part")
        self._rows = 0

    def __enter__(self) -> ArrayFile:
        self._stream = self._aside.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(self._kind),
            "fortran_order": False,
            "shape": self._shape,
        }
        np.lib.format.write_array_header_1_0(self._stream, header)
        return self

    def append(self, rows: np.ndarray) -> None:
        """Write further rows.

        Raises:
            SluiceError: the disk is full.
        """
        self._rows += len(rows)
        self._guarded(self._stream.write, np.ascontiguousarray(rows, self._kind).data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._guarded(self._stream.close)
        if kind is None and self._rows != self._shape[0]:
            raise SluiceError(f"{self._rows:,} rows came, {self._shape[0]:,} were announced", where=str(self._path),
                              remedy="the examples changed while they were read; run again")  # fmt: skip
        if kind is None:
            self._aside.rename(self._path)

    def _guarded(self, work: Any, *args: Any) -> None:
        try:
            work(*args)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise SluiceError(f"the disk is full after {self._rows:,} of {self._shape[0]:,} rows", where=str(self._path),
                              remedy="free some, or give the stage a larger disk, and run again") from error  # fmt: skip
