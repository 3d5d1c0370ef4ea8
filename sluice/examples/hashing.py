"""The hash of a row: which split it falls in, whether it repeats another, and the digest of all rows.

Version 2, in unsigned arithmetic of 64 bits. Every value is a word: an integer and a time (microseconds since 1970, UTC)
in two's complement, a double by its IEEE 754 bits (-0.0 as 0.0; NaN is no value), a boolean as 0 or 1, a text by the first
eight bytes of the MD5 of its UTF-8, big-endian; no value is 0x6E756C6C. From h = 0, for every column in the order of
their names (code points), ``h = mix((h xor word) + 0x9E3779B97F4A7C15)``, where mix is the finaliser of SplitMix64
(Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014). It is the same on every platform, and does not change
with a library: a change of it is a new version.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

VERSION = 2
NAME = "splitmix64/md5"
GOLDEN = 0x9E3779B97F4A7C15
NULL = 0x6E756C6C
SPACE = 1 << 64
"""Hashes lie below it, evenly."""


def hashed(batch: pa.RecordBatch, columns: Iterable[str]) -> pa.Array:
    """The hash of each row's values in these columns (uint64)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    golden = _word(GOLDEN)
    made = pa.repeat(_word(0), len(batch))
    for column in sorted(columns):
        made = mix(pc.add(pc.bit_wise_xor(made, words(batch.column(column))), golden))
    return made


def mix(value: pa.Array) -> pa.Array:
    """The finaliser of SplitMix64 (uint64)."""
    import pyarrow.compute as pc

    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = pc.multiply(pc.bit_wise_xor(value, pc.shift_right(value, _word(shift))), _word(factor))
    return pc.bit_wise_xor(value, pc.shift_right(value, _word(31)))


def words(column: pa.Array) -> pa.Array:
    """Each value as a word (uint64)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind):
        column = _texts(column)
    elif pa.types.is_boolean(kind):
        column = pc.cast(column, pa.uint64())
    elif pa.types.is_floating(kind):
        column = pc.add(pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column), 0.0)
    return pc.fill_null(column.view(pa.uint64()), _word(NULL))


def _texts(column: pa.Array) -> pa.Array:
    """Texts repeat: each is digested once a batch."""
    import pyarrow as pa

    encoded = column.dictionary_encode()
    digests = [
        int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big")
        for text in encoded.dictionary.to_pylist()
    ]
    return pa.array(digests, pa.uint64()).take(encoded.indices)


def _word(value: int) -> Any:
    import pyarrow as pa

    return pa.scalar(value, pa.uint64())
