"""The flavor ``sklearn``: a preprocessing SavedModel and an estimator on disk without pickle, and their adapter.

``preprocessing/`` makes columns of raw features; ``estimator.skops`` predicts from a table of them, each under its
name. skops builds only types that it or we vouch for, so that a model file cannot run code.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.features.preprocessing import IDS, NUMBERS, Plan
from sluice.features.raw import arrays
from sluice.models.saved_model import by_name
from sluice.serving.servers.bare_sklearn import VOUCHED

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from sluice.models.manifest import ModelManifest

ESTIMATOR_FILE, PREPROCESSING = "estimator.skops", "preprocessing"
MANY = 50_000
"""Below so many rows scikit-learn's threads cost more than they give."""
MALFORMED = (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, zipfile.BadZipFile)
"""What skops raises for a file that is not whole, was made by hand, or by another version of scikit-learn."""
YEAR_ONE = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip file knows: what is made of the same weights has the same bytes."""


class SklearnPredictor:
    """A scikit-learn estimator behind its preprocessing."""

    def __init__(self, folder: Path, manifest: ModelManifest) -> None:
        import tensorflow as tf

        self._estimator, self.manifest = load(folder / ESTIMATOR_FILE), manifest
        self._plan = Plan.load(folder / PREPROCESSING)
        self._preprocessing = tf.saved_model.load(str(folder / PREPROCESSING))
        self._transform = by_name(self._preprocessing)

    def predict(self, batch: pa.RecordBatch) -> np.ndarray:
        """See `Predictor.predict`."""
        import tensorflow as tf

        raw = {name: tf.constant(column) for name, column in arrays(batch, self.manifest.features).items()}
        columns = {name: tensor.numpy() for name, tensor in self._transform(raw).items()}
        return predictions(self._estimator, frame(columns, self._plan))


def frame(columns: dict[str, np.ndarray], plan: Plan) -> pd.DataFrame:
    """Preprocessed columns as a table, each under its name: numbers first, then ids."""
    import pandas as pd

    return pd.DataFrame({
        name: columns[kind][:, i] for kind, names in ((NUMBERS, plan.numbers), (IDS, plan.ids)) for i, name in enumerate(names)
    })  # fmt: skip


def predictions(estimator: Any, table: pd.DataFrame) -> np.ndarray:
    """What an estimator predicts, as `Predictor.predict` defines it."""
    with threads(len(table)):
        if not hasattr(estimator, "classes_"):
            return np.asarray(estimator.predict(table), np.float64)
        probabilities = np.asarray(estimator.predict_proba(table), np.float64)
    return probabilities if probabilities.shape[1] > 2 else probabilities[:, 1]


def threads(rows: int) -> Any:
    """A context in which scikit-learn works with as many threads as so many rows are worth."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(None if rows >= MANY else 1)


def save(estimator: Any, file: Path) -> None:
    """Write an estimator so that the same weights give the same bytes.

    Raises:
        SluiceError: see `dumped`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_settled(dumped(estimator)))


def dumped(estimator: Any) -> bytes:
    """An estimator in skops' form.

    Raises:
        SluiceError: it holds a part that skops cannot write, or that nobody vouches for.
    """
    import skops.io

    try:
        content = bytes(skops.io.dumps(estimator))
    except skops.io.exceptions.UnsupportedTypeException as error:
        raise SluiceError(f"the estimator cannot be written without pickle: {error}", where="trainer",
                          remedy="choose another estimator") from error  # fmt: skip
    _vouched(skops.io.get_untrusted_types(data=content), "trainer")
    return content


def load(file: Path) -> Any:
    """Read an estimator.

    Raises:
        SluiceError: the file is not whole, or holds a part that nobody vouches for: none of it was loaded.
    """
    import skops.io

    try:
        untrusted = skops.io.get_untrusted_types(file=file)
        _vouched(untrusted, str(file))
        return skops.io.load(file, trusted=untrusted)
    except MALFORMED as error:
        raise SluiceError(f"scikit-learn cannot load the estimator: {error}", where=str(file),
                          remedy="train and export it again") from error  # fmt: skip


def _vouched(untrusted: list[str], where: str) -> None:
    if strange := sorted(set(untrusted) - set(VOUCHED)):
        raise SluiceError(f"the estimator holds parts that nobody vouches for: {', '.join(strange)}", where=where,
                          remedy="build it of scikit-learn's own parts")  # fmt: skip


def _settled(content: bytes) -> bytes:
    """A skops file without what differs from one process to the next: addresses in memory and the time.

    skops names each object by its address. Here objects are numbered in the order in which they stand.
    """
    numbers: dict[int, int] = {}

    def renamed(node: Any) -> Any:
        if isinstance(node, list):
            return [renamed(item) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("__id__"), int):
            node = {**node, "__id__": numbers.setdefault(node["__id__"], len(numbers))}
        if isinstance(node.get("file"), str):
            stem, _, ending = node["file"].partition(".")
            node = {**node, "file": f"{numbers.setdefault(int(stem), len(numbers))}.{ending}"}
        return {key: renamed(value) for key, value in node.items()}

    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        schema = renamed(json.loads(old.read("schema.json")))
        files = {name: name for name in old.namelist() if name != "schema.json"}
        for name in files:
            stem, _, ending = name.partition(".")
            files[name] = f"{numbers[int(stem)]}.{ending}"
        for name, target in sorted(files.items(), key=lambda item: item[1]):
            new.writestr(zipfile.ZipInfo(target, YEAR_ONE), old.read(name), zipfile.ZIP_DEFLATED)
        new.writestr(zipfile.ZipInfo("schema.json", YEAR_ONE), json.dumps(schema), zipfile.ZIP_DEFLATED)
    return made.getvalue()
