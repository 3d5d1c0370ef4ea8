"""Prediction adapters: one way to ask a model of any flavor for predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sluice.errors import SluiceError
from sluice.models.manifest import ModelManifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pyarrow as pa


class Predictor(Protocol):
    """A loaded model.

    Attributes:
        manifest: what the model says of itself.
    """

    manifest: ModelManifest

    def predict(self, batch: pa.RecordBatch) -> np.ndarray:
        """Predictions for raw rows, which must hold the manifest's features (further columns are ignored).

        Returns:
            float64. Binary: shape [rows], probability of the positive class. Several classes: [rows, classes],
            probabilities. Regression: [rows], in the label's unit.

        Raises:
            SluiceError: a feature is absent.
        """
        ...


def _tensorflow(folder: Path, manifest: ModelManifest) -> Predictor:
    from sluice.models.tensorflow import SavedModelPredictor

    return SavedModelPredictor(folder, manifest)


def _sklearn(folder: Path, manifest: ModelManifest) -> Predictor:
    from sluice.models.sklearn import SklearnPredictor

    return SklearnPredictor(folder, manifest)


ADAPTERS: dict[str, Callable[[Path, ModelManifest], Predictor]] = {"tensorflow": _tensorflow, "sklearn": _sklearn}


def load(folder: Path) -> Predictor:
    """Load the model artifact in `folder` by its flavor.

    Raises:
        SluiceError: there is no model, or its flavor has no adapter here.
    """
    manifest = ModelManifest.load(folder)
    adapter = ADAPTERS.get(manifest.flavor)
    if adapter is None:
        raise SluiceError(
            f"no prediction adapter for the flavor {manifest.flavor!r}",
            where=str(folder),
            remedy=f"known flavors: {', '.join(sorted(ADAPTERS))}",
        )
    return adapter(folder, manifest)
