"""Which files a URI names, here, in a store or on the web, and what each of them is: size, etag or time of change."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sluice import storage
from sluice.errors import SluiceError, first_line
from sluice.examples.manifest import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

WEB = ("http", "https")
STORES = ("gs", "s3", "abfs", "abfss", "az")
RETRY: dict[str, Any] = {}
"""How often and how long the stores' client tries again (obstore's RetryConfig); empty: its own ten times, three minutes."""
_GLOB = re.compile(r"[*?\[]")


def facts(uris: list[str]) -> list[SourceFile]:
    """Every file that the URIs name, in order: its URI, size, and etag, or time of change where there is none.

    A folder of a table format and a database stand for themselves.

    Args:
        uris: paths, ``gs://``, ``s3://``, ``abfs://``, ``az://``, ``http(s)://``; globs, except on the web.

    Raises:
        SluiceError: no such file, a place that does not let us in or does not answer, a glob on the web.
    """
    return [file for uri in uris for file in _facts(uri)]


def is_table(uri: str) -> bool:
    """Whether it is the folder of a Delta Lake table."""
    if storage.is_local(uri):
        return (storage.local_path(uri) / "_delta_log").is_dir()
    if urlsplit(uri).scheme not in STORES or _GLOB.search(uri):
        return False
    store, key = place(uri)
    return bool(next(_listed(store, storage.join(key, "_delta_log"), uri), None))


def place(uri: str) -> tuple[Any, str]:
    """The store that holds a file, and the file's key in it.

    Raises:
        SluiceError: a scheme that nothing reads, or a URL that holds a secret.
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in (*STORES, *WEB):
        raise SluiceError(f"nothing reads {scheme}://", where=uri, remedy=f"schemes: {', '.join((*STORES, *WEB))}")
    where, _, key = rest.partition("/")
    if scheme in WEB and ("@" in where or "?" in key):
        raise SluiceError("a web address may hold neither a password nor a query", where=storage.plain(uri),
                          remedy="they end up in files and logs; name the file in its store (gs://, s3://, az://), "
                                 "whose credentials come from the environment")  # fmt: skip
    try:
        return _store(f"{scheme}://{where}"), key
    except Exception as error:
        raise SluiceError(f"the store cannot be opened: {storage.plain(first_line(error))}", where=uri,
                          remedy="give the environment what the store's own tools take (components/ingest/README.md)") from error  # fmt: skip


@cache
def _store(root: str) -> Any:
    from obstore.store import HTTPStore, from_url

    retry = {"retry_config": RETRY} if RETRY else {}
    if urlsplit(root).scheme in WEB:
        return HTTPStore.from_url(root, client_options={"allow_http": True}, **retry)
    return from_url(root, **retry)


def _facts(uri: str) -> list[SourceFile]:
    if storage.is_local(uri):
        files = [] if is_table(uri) else [_local(path) for path in _matches(uri)]
    elif urlsplit(uri).scheme not in (*STORES, *WEB):
        return [SourceFile(uri=uri)]  # a database
    else:
        files = _remote(uri)
    if not files and is_table(uri):
        return [SourceFile(uri=uri)]
    if not files:
        raise SluiceError("no such file", where=uri, remedy="check source.uri; a relative path starts at the folder of sluice.yaml")  # fmt: skip
    return files


def _local(path: Path) -> SourceFile:
    stat = path.stat()
    return SourceFile(
        uri=str(path), size=stat.st_size, etag=datetime.fromtimestamp(stat.st_mtime_ns / 1e9, UTC).isoformat()
    )


def _matches(uri: str) -> list[Path]:
    """The local files that a path, a folder or a glob names, in order."""
    path = storage.local_path(uri)
    if path.is_file():
        return [path]
    found = path.iterdir() if path.is_dir() else Path(path.anchor or ".").glob(str(path).removeprefix(path.anchor))
    return sorted(each for each in found if each.is_file() and _is_data(each.name))


def _is_data(name: str) -> bool:
    """Whether it may hold rows: what Spark and others put beside their files begins with ``_`` or a dot."""
    return not name.startswith(("_", "."))


def _remote(uri: str) -> list[SourceFile]:
    import obstore
    from fsspec.utils import glob_translate

    store, key = place(uri)
    on_web = urlsplit(uri).scheme in WEB
    if on_web and "*" in key:
        raise SluiceError("a web server does not list its files", where=uri, remedy="name one file, without a glob")
    if on_web or not _GLOB.search(key):
        try:
            return [of(uri, obstore.head(store, key))]
        except FileNotFoundError:
            return [] if on_web else _folder(store, uri, key)
        except Exception as error:
            raise explained(error, uri) from error
    fixed = _GLOB.split(key, maxsplit=1)[0]
    wanted, root = re.compile(glob_translate(key)), uri.removesuffix(key)
    found = _listed(store, fixed[: fixed.rfind("/") + 1], uri)
    files = [of(root + item["path"], item) for item in found if wanted.match(item["path"]) and _is_data(_name(item))]
    return sorted(files, key=lambda file: file.uri)


def _folder(store: Any, uri: str, key: str) -> list[SourceFile]:
    """The files right in a folder."""
    if is_table(uri):
        return []
    prefix, root = key.rstrip("/") + "/", uri.removesuffix(key)
    found = (item for item in _listed(store, prefix, uri) if item["path"].removeprefix(prefix) == _name(item))
    return sorted((of(root + item["path"], item) for item in found if _is_data(_name(item))), key=lambda file: file.uri)


def _name(item: Any) -> str:
    return str(item["path"]).rpartition("/")[2]


def _listed(store: Any, prefix: str, uri: str) -> Iterator[Any]:
    import obstore

    try:
        for page in obstore.list(store, prefix or None):
            yield from page
    except Exception as error:
        raise explained(error, uri) from error


def of(uri: str, meta: Any) -> SourceFile:
    """A file as its store describes it."""
    tag = (meta["e_tag"] or "").removeprefix("W/").strip('"')
    return SourceFile(uri=uri, size=meta["size"], etag=tag or meta["last_modified"].isoformat())


def explained(error: Exception, uri: str) -> SluiceError:
    """A store's error as a sentence that says what to do; what holds a secret is left out."""
    from obstore import exceptions

    if isinstance(error, SluiceError):
        return error
    if isinstance(error, FileNotFoundError) or "404 Not Found" in first_line(error):  # the latter of a list
        what, remedy = "no such file", "check source.uri: the bucket, the folder, the name"
    elif isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        what = f"the store does not let us in: {storage.plain(first_line(error))}"
        remedy = "credentials come from the environment: renew them, or let their owner read this place"
    elif re.search(r"credential|metadata\.google|169\.254\.169\.254|token", first_line(error), re.I):
        what = f"no credentials that the store takes: {storage.plain(first_line(error))}"
        remedy = "give the environment some, as the store's own tools take them (components/ingest/README.md)"
    else:
        what = f"the store did not answer as it should: {storage.plain(first_line(error))}"
        remedy = "what passes was tried again; see whether the store is well, then run it again"
    return SluiceError(what, where=storage.plain(uri), remedy=remedy)
