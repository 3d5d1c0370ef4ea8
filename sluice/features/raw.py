"""Raw features as a model's serving signature takes them: from Arrow columns to arrays of shape [rows]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import SluiceError
from sluice.examples.columns import as_text
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
            made[name] = _values(column).astype(np.float32)
        else:
            made[name] = np.asarray(_values(pc.fill_null(as_text(column), "").cast(pa.binary())), object)
    return made


def _values(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    import pyarrow as pa

    return column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
