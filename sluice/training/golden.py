"""Golden requests: raw rows with the trained model's own answers, by which an export is held to what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

UNSEEN = "a value that no example has"


def with_edges(rows: pa.Table) -> pa.Table:
    """Real rows and, made of the first two, what a client will send one day: nothing known, and texts never seen."""
    import pyarrow as pa

    if not rows.num_rows:
        return rows
    schema = pa.schema([(field.name, field.type) for field in rows.schema])  # what is missing may be missing
    empty = [pa.nulls(1, field.type) for field in schema]
    unseen = [pa.array([UNSEEN], f.type) if _is_text(f.type) else rows.column(f.name)[:1] for f in schema]
    return pa.concat_tables([pa.table(columns, schema=schema) for columns in (rows.columns, empty, unseen)])


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
