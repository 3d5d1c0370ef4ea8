"""Whether a Zstandard file is whole: DuckDB takes one that is cut for one that ends there.

The layout is that of RFC 8878: frames of a header, blocks that say how long they are and which is the last, a checksum.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from typing import BinaryIO

MAGIC, SKIPPABLE = 0xFD2FB528, 0x184D2A5
RLE = 1


def require_whole(file: BinaryIO, size: int, where: str) -> None:
    """Walk over a file's frames and blocks; their content is passed over.

    Raises:
        SluiceError: it ends within one, or is not Zstandard.
    """
    at = 0
    try:
        while at < size:
            at = _frame(file, at)
    except (struct.error, IndexError):
        at = size + 1
    if at != size:
        raise SluiceError("cut, damaged or not Zstandard", where=where, remedy="copy or write the file anew")


def _frame(file: BinaryIO, at: int) -> int:
    """Where a frame that begins here ends."""
    file.seek(at)
    (magic,) = struct.unpack("<I", file.read(4))
    if magic >> 4 == SKIPPABLE:
        return at + 8 + int(struct.unpack("<I", file.read(4))[0])
    if magic != MAGIC:
        raise struct.error
    descriptor = file.read(1)[0]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    content_size = (single, 2, 4, 8)[descriptor >> 6]
    at += 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + content_size
    last = 0
    while not last:
        file.seek(at)
        (header,) = struct.unpack("<I", file.read(3) + b"\0")
        last, kind, length = header & 1, header >> 1 & 3, header >> 3
        at += 3 + (1 if kind == RLE else length)
    return at + 4 * checksum
