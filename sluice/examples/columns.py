"""Columns as text: one way for statistics, preprocessing and prediction, so that they agree on every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of any type as strings, null where it has no value (NaN too).

    Integers are written in decimal, booleans as ``true`` and ``false``, times as RFC 3339 in UTC to the second
    (``2013-01-31T05:00:00Z``; one without a time zone is taken for UTC), dates as ``2013-01-31``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_timestamp(kind):
        utc = pc.floor_temporal(pc.cast(column, pa.timestamp(kind.unit)), unit="second")
        text = pc.cast(pc.cast(utc, pa.timestamp("s")), pa.string())
        return pc.binary_join_element_wise(pc.utf8_replace_slice(text, start=10, stop=11, replacement="T"), "Z", "")
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    return pc.cast(column, pa.string())
