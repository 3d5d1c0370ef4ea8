"""Stores: one way to read and write local folders, ``gs://``, ``s3://`` and ``abfs://``/``az://``, through obstore.

Credentials come from the environment's own chain (workload identity, AWS and Azure chains, application default
credentials); transient errors are retried with backoff by the store's client.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sluice.errors import SluiceError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMES = ("file", "gs", "s3", "abfs", "abfss", "az", "memory")


def is_local(uri: str) -> bool:
    """Whether a URI is a path or ``file://``."""
    return urlsplit(uri).scheme in ("", "file")


def local_path(uri: str) -> Path:
    """The path of a local URI."""
    return Path(urlsplit(uri).path if uri.startswith("file:") else uri)


def join(uri: str, *parts: str) -> str:
    """Append path parts to a URI."""
    return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])


def plain(text: str) -> str:
    """A text without passwords and queries, which may be signatures, in its URLs."""
    return re.sub(r"(://[^\s/?#]*/?[^\s?#]*)\?[^\s)]*", r"\1", re.sub(r"://[^\s/@:]*:[^\s/@]*@", "://", text))


def told(error: Exception) -> SluiceError | None:
    """A store's error in words; None where it is another's."""
    from obstore import exceptions

    if not isinstance(error, exceptions.BaseError):
        return None
    denied = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
    remedy = "see to the credentials in the environment, and to what they allow" if denied else (
        "check the URI, the network and the credentials; what was not done is done by running again"
    )  # fmt: skip
    return SluiceError(f"the store says: {plain(first_line(error))}", remedy=remedy)


@dataclass(frozen=True)
class Store:
    """A folder at a URI. Keys are relative POSIX paths.

    Example:
        >>> ledger = Store.at("gs://bucket/ledger")
        >>> ledger.put_if_absent("entries/00000001.json", b"{}")
        True
    """

    uri: str
    _backend: Any

    @classmethod
    def at(cls, uri: str) -> Store:
        """Open the folder at a URI; a local one is created.

        Raises:
            SluiceError: the scheme is unknown, or a local folder cannot be created.
        """
        from obstore.store import LocalStore, from_url

        if is_local(uri):
            path = local_path(uri).absolute()
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SluiceError(f"the folder is not there, and cannot be made: {error.strerror}", where=uri,
                                  remedy="check the path, and who may write there") from None  # fmt: skip
            return cls(uri, LocalStore(prefix=path))
        scheme = urlsplit(uri).scheme
        if scheme not in SCHEMES:
            raise SluiceError(f"no store for {scheme}://", where=uri, remedy=f"schemes: {', '.join(SCHEMES)}")
        return cls(uri, from_url(uri))

    def get(self, key: str) -> bytes:
        """An object's bytes; FileNotFoundError where there is none."""
        import obstore

        return bytes(obstore.get(self._backend, key).bytes())

    def put(self, key: str, content: bytes) -> None:
        """Write an object, replacing what is there; readers see the old or the new, never a part."""
        import obstore

        obstore.put(self._backend, key, content)

    def put_stream(self, key: str, blocks: Iterator[bytes]) -> None:
        """Write an object from blocks, in parts where it is large; it appears when it is whole."""
        import obstore

        obstore.put(self._backend, key, blocks)

    def has(self, key: str) -> bool:
        """Whether an object is there."""
        import obstore

        try:
            obstore.head(self._backend, key)
        except FileNotFoundError:
            return False
        return True

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Create an object; False where one is there already. The store decides a race."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            obstore.put(self._backend, key, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store."""
        import obstore

        obstore.copy(self._backend, source, target)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys of all objects below a prefix, in no order."""
        import obstore

        for page in obstore.list(self._backend, prefix or None):
            for item in page:
                yield item["path"]

    def folders(self, prefix: str = "") -> list[str]:
        """Names of the folders directly below a prefix, sorted."""
        import obstore

        listed = obstore.list_with_delimiter(self._backend, prefix or None)
        return sorted(path.rpartition("/")[2] for path in listed["common_prefixes"])

    def delete(self, *keys: str) -> None:
        """Delete objects; one that is not there is no error."""
        import obstore

        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(self._backend, key)

    def upload(self, folder: Path, prefix: str) -> None:
        """Write every file of a local folder below a prefix."""
        import obstore

        for path in sorted(folder.rglob("*")):
            if path.is_file():
                obstore.put(self._backend, str(PurePosixPath(prefix) / path.relative_to(folder).as_posix()), path)

    def download(self, prefix: str, folder: Path) -> list[Path]:
        """Fetch every object below a prefix into a local folder; returns the files written."""
        import obstore

        written = []
        for key in self.keys(prefix):
            target = folder / PurePosixPath(key).relative_to(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as stream:
                for chunk in obstore.get(self._backend, key):
                    stream.write(chunk)
            written.append(target)
        return sorted(written)
