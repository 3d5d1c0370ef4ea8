"""Digests: the one way Sluice names content. Always SHA-256, always written ``sha256:<hex>``."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


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

    Files are hashed in parallel (hashlib releases the interpreter lock). Empty folders do not count. Symbolic
    links are refused by raising ValueError, as what they point to can change after the judgement.
    """
    files = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            raise ValueError(f"{path} is a symbolic link: an artifact holds plain files only")
        if path.is_file():
            files.append(path)
    with ThreadPoolExecutor() as pool:
        digests = pool.map(of_file, files)
        return of_json(
            [[path.relative_to(root).as_posix(), digest] for path, digest in zip(files, digests, strict=True)]
        )
