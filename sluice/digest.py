"""Digests: the one way Sluice names content. Always SHA-256, always written ``sha256:<hex>``."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SIGNATURE_FILE = "signature.json"


def of_bytes(content: bytes) -> str:
    """Digest of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def of_json(value: Any) -> str:
    """Digest of a JSON value in canonical form: sorted keys, no white space, UTF-8."""
    return of_bytes(canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value: sorted keys, no white space, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def of_file(path: Path) -> str:
    """Digest of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def of_tree(root: Path) -> str:
    """Digest of a folder: of its files' relative POSIX paths and contents, whatever their order on disk.

    Files are hashed in parallel (hashlib releases the interpreter lock). Empty folders do not count, nor does the
    signature (`SIGNATURE_FILE`), which says who vouches for the rest. Symbolic links are refused, as what they
    point to can change after the judgement.

    Raises:
        SluiceError: there is a symbolic link.
    """
    return _of_parts(root, _files(root), of_file)


def of_copied(root: Path, copy: Callable[[Path, Path], str]) -> str:
    """Have every file of a folder copied, several at a time; returns the digest of what was copied, as `of_tree` has it.

    Args:
        root: the folder.
        copy: given a file and its path relative to the folder, copies it and returns the digest of what it read.
    """
    return _of_parts(root, _files(root, signature=True), lambda path: copy(path, path.relative_to(root)))


def _files(root: Path, *, signature: bool = False) -> list[Path]:
    files = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            raise SluiceError("a symbolic link: an artifact holds plain files only", where=str(path),
                              remedy="write the file itself there")  # fmt: skip
        if path.is_file() and (signature or path != root / SIGNATURE_FILE):
            files.append(path)
    return files


def of_names(digests: Mapping[str, str]) -> str:
    """Digest of a folder from its files' relative POSIX paths and digests, as `of_tree` has it."""
    return of_json([[name, digests[name]] for name in sorted(digests, key=lambda name: PurePosixPath(name).parts)])


def _of_parts(root: Path, files: list[Path], digest: Callable[[Path], str]) -> str:
    with ThreadPoolExecutor() as pool:
        named = zip(files, pool.map(digest, files), strict=True)
        return of_names({p.relative_to(root).as_posix(): made for p, made in named if p != root / SIGNATURE_FILE})
