"""Raw features as a model's serving signature takes them: from Arrow columns to arrays of shape [rows]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import SluiceError
from sluice.models.manifest import RawType

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


def arrays(batch: pa.RecordBatch | pa.Table, features: Mapping[str, RawType]) -> dict[str, np.ndarray]:
    """Feature name to its values: float32 with NaN, or bytes with b'' where missing.

    Raises:
        SluiceError: a feature is not a column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    made = {}
    for name, kind in features.items():
        position = batch.schema.get_field_index(name)
        if position < 0:
            raise SluiceError(f"the feature {name!r} is not in the data", where="features",
                              remedy=f"columns: {', '.join(batch.schema.names)}")  # fmt: skip
        column = batch.column(position)
        if kind is RawType.FLOAT:
            made[name] = column.to_numpy(zero_copy_only=False).astype(np.float32) if isinstance(column, pa.Array) else (
                column.to_numpy().astype(np.float32))  # fmt: skip
        else:
            text = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
            filled = pc.fill_null(text, "").cast(pa.binary())
            made[name] = np.asarray(
                filled.to_numpy(zero_copy_only=False) if isinstance(filled, pa.Array) else filled.to_numpy(), object
            )
    return made
