"""Files in stores and on the web as a file system, by which DuckDB, fastavro and pyarrow read them in blocks.

Each block has to be of the very file that was listed: one that changes in between is an error, never a mixture. The
store's client tries again what passes (5xx, 429, connections that are cut, in the middle of a block too).
"""

from __future__ import annotations

import io
import tempfile
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import obstore
from fsspec.spec import AbstractFileSystem
from obstore.exceptions import NotSupportedError

from sluice import storage
from sluice.errors import SluiceError
from sluice.examples.formats.remote import STORES, WEB, explained, of, place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.examples.manifest import SourceFile

BLOCK = 8 << 20
"""Bytes that are fetched at once."""
HELD = 8
"""How many blocks an open file holds: threads read it in about as many places."""


class Files(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The files of one source, as they were when they were listed.

    It stands where obstore's own file system could, whose open files have one position for all threads.

    Attributes:
        failures: what went wrong, in order; whoever reads through another library finds the cause here.
    """

    protocol = (*STORES, *WEB)
    cachable = False

    def __init__(self, files: Iterable[SourceFile], folder: str = "") -> None:
        super().__init__()
        self.files = {file.uri: file for file in files}
        self.failures: list[SluiceError] = []
        self._folder, self._whole, self._lock = folder, dict[str, Path](), Lock()

    @property
    def uris(self) -> list[str]:
        """Their names, in order."""
        return list(self.files)

    def open(self, path: str, *_: Any, **__: Any) -> io.RawIOBase:
        """The file's bytes."""
        file = self.files[path]
        if storage.is_local(path):
            return io.FileIO(storage.local_path(path))
        try:
            if urlsplit(path).scheme in WEB and not _gives_ranges(file):
                self._fetch(file)
        except Exception as error:
            raise self._failed(error, file) from error
        return Pinned(file, self)

    def glob(self, path: str, **_: Any) -> list[str]:
        """The path: globs were resolved when the files were listed."""
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        """Whether it is one of the files."""
        return path in self.files

    def size(self, path: str) -> int:
        """In bytes."""
        return self.files[path].size or 0

    def modified(self, path: str) -> datetime:
        """Always the same: it cannot change."""
        del path
        return datetime.fromtimestamp(0, UTC).replace(tzinfo=None)

    def block(self, file: SourceFile, start: int, end: int) -> memoryview:
        """The bytes from start to end, which have to be there."""
        try:
            if file.uri in self._whole:
                with self._whole[file.uri].open("rb") as copy:
                    copy.seek(start)
                    return memoryview(copy.read(end - start))
            store, key = place(file.uri)
            found = obstore.get(store, key, options={"range": (start, end)})
            _same(file, found.meta)
            return memoryview(found.bytes())
        except Exception as error:
            raise self._failed(error, file) from error

    def _fetch(self, file: SourceFile) -> None:
        """Copy a file to this disk, whose server gives it as a whole only."""
        with self._lock:
            if file.uri in self._whole:
                return
            store, key = place(file.uri)
            found = obstore.get(store, key)
            _same(file, found.meta)
            if self._folder:
                Path(self._folder).mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder or None, delete=False) as copy:
                for block in found.stream(min_chunk_size=BLOCK):
                    copy.write(block)
            self._whole[file.uri] = Path(copy.name)

    def _failed(self, error: Exception, file: SourceFile) -> SluiceError:
        self.failures.append(explained(error, file.uri))
        return self.failures[-1]


class Pinned(io.RawIOBase):
    """One of the files. A block that several threads ask for is fetched once.

    DuckDB lets them seek and read in one of these at a time: what a thread has sought holds for its own next read,
    whatever the others do in between.
    """

    def __init__(self, file: SourceFile, files: Files) -> None:
        self.file, self._files, self._at = file, files, 0
        self._sought, self._lock, self._blocks = local(), Lock(), dict[int, Future[memoryview]]()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        at: int | None = getattr(self._sought, "at", None)
        return self._at if at is None else at

    def size(self) -> int:
        """In bytes."""
        return self.file.size or 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        self._sought.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.size()}[whence]
        return self.tell()

    def readinto(self, into: Any) -> int:
        """As many bytes as there is room for, fewer at the end only."""
        view, begin = memoryview(into).cast("B"), self.tell()
        self._sought.at = None
        at, end = begin, max(begin, min(begin + len(view), self.size()))
        while at < end:
            piece = self._block(at // BLOCK)[at % BLOCK :][: end - at]
            view[at - begin : at - begin + len(piece)] = piece
            at += len(piece)
        self._at = end
        return end - begin

    def _block(self, number: int) -> memoryview:
        """One of the file's blocks, held, awaited or fetched."""
        with self._lock:
            known = self._blocks.pop(number, None)
            block = self._blocks[number] = known or Future()  # the last of them is the one used last
            while len(self._blocks) > HELD:
                del self._blocks[next(iter(self._blocks))]
        if known is None:
            try:
                start = number * BLOCK
                block.set_result(self._files.block(self.file, start, min(start + BLOCK, self.size())))
            except BaseException as error:
                block.set_exception(error)
        return block.result()


def _gives_ranges(file: SourceFile) -> bool:
    """Whether the server gives a part of a file."""
    if not file.size:
        return True
    store, key = place(file.uri)
    try:
        obstore.get(store, key, options={"range": (0, 1)})
    except NotSupportedError:
        return False
    return True


def _same(file: SourceFile, meta: Any) -> None:
    now = of(file.uri, meta)
    if (now.size, now.etag) != (file.size, file.etag):
        raise SluiceError(
            f"changed while it was read: {file.size:,} bytes ({file.etag}), now {now.size:,} ({now.etag})",
            where=file.uri, remedy="run again when it is whole; write new files rather than replace old ones",
        )  # fmt: skip
