"""Train a model and export it with its preprocessing inside."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice import digest
from sluice.errors import SluiceError
from sluice.features.preprocessing import IDS, NUMBERS, Plan
from sluice.features.raw import arrays
from sluice.features.transform import FACTS_FILE, LABEL, TRAIN, signature
from sluice.models.manifest import ModelManifest, Task
from sluice.progress import progress
from sluice.training import keras as keras_trainer

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sluice.examples.dataset import Examples
    from sluice.training.spec import Label, Trainer

GOLDEN_FILE, GOLDEN_ROWS = "golden.parquet", 200
PREDICTION = "prediction"
EVAL = "eval"


def train(
    *, transformed: Path, preprocessing: Path, examples: Examples, trainer: Trainer, label: Label, model_out: Path,
    golden_out: Path, report_out: Path, champion: Path | None = None,
) -> ModelManifest:  # fmt: skip
    """Train on transformed examples.

    Args:
        transformed: folder that `transform` wrote.
        preprocessing: folder of the preprocessing that made it.
        examples: the raw examples, of which golden requests are drawn.
        trainer: what is trained, and how.
        label: what is to be predicted.
        model_out: folder for the model artifact: a SavedModel that takes raw features, and ``model.json``.
        golden_out: folder for ``golden.parquet``: raw rows with the trained model's own predictions.
        report_out: HTML file of the learning curve.
        champion: folder of the champion's model.

    Raises:
        SluiceError: the loss is not a number, or the transformed examples are of other examples.
    """
    import keras
    import tensorflow as tf

    from sluice.report.training import write

    keras.utils.set_random_seed(trainer.seed)
    tf.config.experimental.enable_op_determinism()
    facts = json.loads((transformed / FACTS_FILE).read_text())
    if facts["examples"] != examples.manifest.digest:
        raise SluiceError("the transformed examples were made of other examples", where=str(transformed),
                          remedy="run transform on the examples given here")  # fmt: skip
    plan, task = Plan.load(preprocessing), Task(facts["task"])
    data = _columns(transformed / TRAIN)
    scale = _scale(data, task)
    network = keras_trainer.network(plan, task, len(facts["classes"]), trainer)
    curve = keras_trainer.fit(network, data, task, trainer)

    progress("exporting")
    served = _served(tf.saved_model.load(str(preprocessing)), network, task, scale)
    serve = tf.function(served, input_signature=[signature(plan.raw)], autograph=False)
    _export(serve, network, preprocessing, model_out)
    manifest = ModelManifest(
        flavor="tensorflow", task=task, label=label.column, classes=facts["classes"], features=plan.raw,
        training={**trainer.model_dump(mode="json"), "examples": facts["examples"], "spans": examples.manifest.spans,
                  "rows": facts["splits"][TRAIN], "preprocessing": digest.of_tree(preprocessing),
                  "loss": round(curve.loss[-1], 6)},
        libraries=_libraries("tensorflow-cpu", "tensorflow", "keras", "numpy"),
    )  # fmt: skip
    manifest.save(model_out)
    _golden(examples, manifest, served, golden_out)
    write(report_out, manifest, curve)
    return manifest


def _columns(folder: Path) -> dict[str, np.ndarray]:
    """The split's arrays, mapped into memory: inputs first, the label last."""
    files = [folder / f"{name}.npy" for name in (NUMBERS, IDS, LABEL)]
    return {file.stem: np.load(file, mmap_mode="r") for file in files if file.exists()}


def _scale(data: dict[str, np.ndarray], task: Task) -> tuple[float, float]:
    """Mean and standard deviation of a regression's label, which is trained standardised; (0, 1) otherwise."""
    if task is not Task.REGRESSION:
        return 0.0, 1.0
    mean, deviation = float(data[LABEL].mean()), float(data[LABEL].std()) or 1.0
    data[LABEL] = (data[LABEL] - mean) / deviation
    return mean, deviation


def _served(preprocessing: Any, network: Any, task: Task, scale: tuple[float, float]) -> Any:
    """From raw features to predictions, as `Predictor.predict` defines them; keeps the preprocessing alive."""
    import tensorflow as tf

    transform = preprocessing.signatures["serving_default"]

    def serve(features: dict[str, Any]) -> dict[str, Any]:
        output = network(transform(**features), training=False)
        if task is Task.BINARY:
            return {PREDICTION: tf.sigmoid(output[:, 0])}
        if task is Task.MULTICLASS:
            return {PREDICTION: tf.nn.softmax(output)}
        return {PREDICTION: output[:, 0] * scale[1] + scale[0]}

    serve.preprocessing = preprocessing  # type: ignore[attr-defined]
    return serve


def _export(serve: Any, network: Any, preprocessing: Path, out: Path) -> None:
    """Write a SavedModel that needs none of our code: everything is in the graph."""
    import tensorflow as tf

    module = tf.Module()
    module.preprocessing = serve.python_function.preprocessing
    module.network = network
    out.mkdir(parents=True, exist_ok=True)
    tf.saved_model.save(module, str(out), signatures={"serving_default": serve})


def _golden(examples: Examples, manifest: ModelManifest, served: Any, out: Path) -> None:
    """Raw rows of the evaluation split, evenly spread, with the answers of the model in memory (not of its export)."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tensorflow as tf

    table: pa.Table = examples.table(EVAL, list(manifest.features))
    rows = np.unique(np.linspace(0, table.num_rows - 1, GOLDEN_ROWS).astype(np.int64))
    table = table.take(pa.array(rows))
    raw = {name: tf.constant(column) for name, column in arrays(table, manifest.features).items()}
    answers = served(raw)[PREDICTION].numpy().astype(np.float64)
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.append_column(PREDICTION, pa.array(answers.tolist())), out / GOLDEN_FILE)


def _libraries(*names: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
