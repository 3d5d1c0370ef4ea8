"""The prediction adapter for SavedModels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import SluiceError
from sluice.features.raw import arrays
from sluice.models.saved_model import by_name

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sluice.models.manifest import ModelManifest

OUTPUT = "prediction"


class SavedModelPredictor:
    """A SavedModel whose ``serving_default`` takes raw features, each of shape [batch], and returns ``prediction``."""

    def __init__(self, folder: Path, manifest: ModelManifest) -> None:
        import tensorflow as tf

        try:
            self._model = tf.saved_model.load(str(folder))
        except (OSError, ValueError) as error:
            raise SluiceError(f"TensorFlow cannot load the model: {error}", where=str(folder),
                              remedy="train and export it again") from error  # fmt: skip
        self._serve = by_name(self._model)
        self.manifest = manifest

    def predict(self, batch: pa.RecordBatch) -> np.ndarray:
        """See `Predictor.predict`."""
        import tensorflow as tf

        raw = {name: tf.constant(column) for name, column in arrays(batch, self.manifest.features).items()}
        return np.asarray(self._serve(raw)[OUTPUT].numpy(), np.float64)
