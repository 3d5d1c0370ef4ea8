"""Transform: build the preprocessing from the statistics and apply it once to every split.

Transformed examples lie as NumPy arrays, ``<split>/{numbers,ids,label}.npy``, which training maps into memory.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.features import labels, preprocessing
from sluice.features.infer import infer
from sluice.features.preprocessing import IDS, NUMBERS
from sluice.features.raw import arrays
from sluice.models.manifest import RawType, Task
from sluice.progress import progress
from sluice.statistics.artifact import Statistics, load_schema

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.examples.dataset import Examples
    from sluice.features.preprocessing import Plan
    from sluice.features.spec import Features
    from sluice.training.spec import Label

LABEL = "label"
FACTS_FILE = "transformed.json"
TRAIN = "train"


def transform(
    examples: Examples, *, statistics: Path, schema: Path, features: Features, label: Label, preprocessing_out: Path,
    transformed_out: Path,
) -> None:  # fmt: skip
    """Build the preprocessing and apply it to every split of an examples artifact.

    Args:
        examples: raw examples.
        statistics: folder of their statistics.
        schema: folder of their schema.
        features: what the model sees; empty: inferred.
        label: what is to be predicted.
        preprocessing_out: folder for the preprocessing: a SavedModel and ``preprocessing.json``.
        transformed_out: folder for the transformed examples.

    Raises:
        SluiceError: see `sluice.features.preprocessing.build` and `sluice.features.labels`.
    """
    import tensorflow as tf

    facts = Statistics.load(statistics).split(TRAIN)
    if not features.names():
        features = infer(load_schema(schema), facts, label.column)
    if label.column in features.names():
        raise SluiceError("the label is among the features", where=f"features: {label.column}", remedy="take it out")
    _present([*features.names(), label.column], examples)
    model, plan = preprocessing.build(features, facts)
    serve = tf.function(model, input_signature=[signature(plan.raw)], autograph=False)
    preprocessing_out.mkdir(parents=True, exist_ok=True)
    tf.saved_model.save(model, str(preprocessing_out), signatures={"serving_default": serve})
    plan.save(preprocessing_out)
    task, classes = labels.settle(label, facts, examples.table(TRAIN, [label.column]).column(0))
    for split, held in examples.manifest.splits.items():
        progress(f"transforming {split}: {held.rows:,} rows")
        _write(serve, plan, examples, split, label.column, (task, classes), transformed_out / split)
    described = {"task": task, "classes": classes, "label": label.column, "examples": examples.manifest.digest,
                 "splits": {name: held.rows for name, held in examples.manifest.splits.items()}}  # fmt: skip
    (transformed_out / FACTS_FILE).write_text(json.dumps(described, indent=2) + "\n")


def signature(raw: dict[str, RawType]) -> dict[str, Any]:
    """Tensor specs of raw features, each of shape [batch]."""
    import tensorflow as tf

    kinds = {RawType.FLOAT: tf.float32, RawType.STRING: tf.string}
    return {name: tf.TensorSpec([None], kinds[kind], name) for name, kind in raw.items()}


def _present(names: list[str], examples: Examples) -> None:
    if absent := [name for name in names if name not in examples.manifest.columns]:
        raise SluiceError(f"{absent[0]!r} is not a column of the examples", where="features",
                          remedy=f"columns: {', '.join(examples.manifest.columns)}")  # fmt: skip


def _write(
    serve: Any, plan: Plan, examples: Examples, split: str, label: str, task: tuple[Task, list[str]], folder: Path
) -> None:
    """Apply the preprocessing batch by batch into memory-mapped arrays."""
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    rows, start = examples.manifest.splits[split].rows, 0
    mapped = {LABEL: _array(folder / f"{LABEL}.npy", np.float32, (rows,))}
    if plan.numbers:
        mapped[NUMBERS] = _array(folder / f"{NUMBERS}.npy", np.float32, (rows, len(plan.numbers)))
    if plan.ids:
        mapped[IDS] = _array(folder / f"{IDS}.npy", np.int32, (rows, len(plan.ids)))
    for batch in examples.batches(split, [*plan.raw, label]):
        end = start + batch.num_rows
        made = serve({name: tf.constant(column) for name, column in arrays(batch, plan.raw).items()})
        for name, tensor in made.items():
            mapped[name][start:end] = tensor.numpy()
        column = batch.column(batch.schema.get_field_index(label))
        mapped[LABEL][start:end] = labels.encode(column, *task, f"label {label} in {split}")
        start = end
    for array in mapped.values():
        array.flush()


def _array(path: Path, kind: Any, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
