"""Transform: build the preprocessing from the statistics and apply it once to every split.

Transformed examples lie as NumPy arrays, ``<split>/{numbers,ids,label}.npy``, which training maps into memory.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import numpy as np

from sluice import digest, parts
from sluice.errors import SluiceError
from sluice.features import labels, preprocessing
from sluice.features.arrays import ArrayFile
from sluice.features.infer import infer
from sluice.features.preprocessing import IDS, NUMBERS
from sluice.features.raw import arrays
from sluice.features.transformed import Transformed, TransformedSplit
from sluice.progress import progress
from sluice.statistics.artifact import Statistics, load_schema

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.examples.dataset import Examples
    from sluice.features.preprocessing import Plan, Preprocessing
    from sluice.features.spec import Features
    from sluice.models.manifest import Task
    from sluice.training.spec import Label

LABEL = "label"
TRAIN = "train"


def transform(
    examples: Examples, *, statistics: Path, schema: Path, features: Features, label: Label, preprocessing_out: Path,
    transformed_out: Path,
) -> tuple[Transformed, Features]:  # fmt: skip
    """Build the preprocessing and apply it to every split of an examples artifact; memory is bounded by the batch.

    Args:
        examples: raw examples.
        statistics: folder of their statistics.
        schema: folder of their schema.
        features: what the model sees; empty: inferred.
        label: what is to be predicted.
        preprocessing_out: folder for the preprocessing: a SavedModel and ``preprocessing.json``.
        transformed_out: folder for the transformed examples; ``transformed.json`` is written last.

    Returns:
        What the transformed examples hold, as it was written; and the features, given or inferred.

    Raises:
        SluiceError: the disk is full; the statistics or the schema are of other examples; for what else see `sluice.features.preprocessing.build` and
            `sluice.features.labels`.
    """
    columns = examples.manifest.columns
    computed = Statistics.load(statistics)
    computed.check_made_of(examples, schema, statistics)
    facts = computed.split(TRAIN)
    if not features.names():
        features = infer(load_schema(schema), facts, label.column, columns, features)
    _agrees(features, label.column, columns)
    made = preprocessing.build(features, facts, columns)
    _room(made.plan, examples, transformed_out)
    made.save(preprocessing_out)
    task, classes = labels.settle(label, facts, examples.batches(TRAIN, [label.column]))
    for split, held in examples.manifest.splits.items():
        progress(f"transforming {split}: {held.rows:,} rows")
        _write(made, examples, split, label.column, (task, classes), transformed_out / split)
    manifest = Transformed(
        task=task, classes=classes, label=label.column, examples=examples.manifest.digest,
        splits={split: _listed(examples, split, transformed_out) for split in examples.manifest.splits},
        preprocessing=digest.of_tree(preprocessing_out), statistics=digest.of_tree(statistics), schema_digest=digest.of_tree(schema),
    )  # fmt: skip
    manifest.save(transformed_out)
    return manifest, features


def _listed(examples: Examples, split: str, out: Path) -> TransformedSplit:
    """The arrays of a split, as they were written."""
    rows = examples.manifest.splits[split].rows
    listed = tuple(parts.describe(out, file, rows) for file in sorted((out / split).glob("*.npy")))
    return TransformedSplit(rows=rows, examples=examples.listed(split).digest, arrays=listed)


def _agrees(features: Features, label: str, columns: dict[str, str]) -> None:
    """The features are columns, of types that their kinds can take, and the label is not among them."""
    if label in features.names():
        raise SluiceError("the label is among the features", where=f"features: {label}", remedy="take it out")
    if absent := [name for name in [*features.names(), label] if name not in columns]:
        raise SluiceError(f"{absent[0]!r} is not a column of the examples", where="features",
                          remedy=f"columns: {', '.join(columns)}")  # fmt: skip
    for item in features.numeric:
        if columns[item.name].startswith(("timestamp", "date")):
            raise SluiceError(f"{item.name!r} is a time ({columns[item.name]}), and listed as a number",
                              where=f"features.numeric: {item.name}", remedy="list it under features.datetime")  # fmt: skip
    for when in features.datetime:
        if not columns[when.name].startswith(("timestamp", "date", "string", "large_string")):
            raise SluiceError(f"{when.name!r} is {columns[when.name]}, and listed as a time",
                              where=f"features.datetime: {when.name}",
                              remedy="give timestamps, dates, or texts in RFC 3339; seconds since 1970 are a number")  # fmt: skip


def _shapes(plan: Plan) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Type and shape of a row, by array."""
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {LABEL: (np.float32, ())}
    if plan.numbers:
        shapes[NUMBERS] = np.float32, (len(plan.numbers),)
    if plan.ids:
        shapes[IDS] = np.int32, (len(plan.ids),)
    return shapes


def _room(plan: Plan, examples: Examples, out: Path) -> None:
    """There is room for what will be written: said before the work, not after it.

    Raises:
        SluiceError: there is not.
    """
    a_row = sum(np.dtype(kind).itemsize * int(np.prod(shape)) for kind, shape in _shapes(plan).values())
    needed = a_row * sum(held.rows for held in examples.manifest.splits.values())
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise SluiceError(f"the disk has {free / 1e9:,.1f} GB left, the transformed examples take {needed / 1e9:,.1f}",
                          where=str(out), remedy="free some, or give the stage a larger disk, and run again")  # fmt: skip


def _write(
    made: Preprocessing, examples: Examples, split: str, label: str, task: tuple[Task, list[str]], folder: Path
) -> None:
    """Apply the preprocessing batch by batch."""
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    rows, where = examples.manifest.splits[split].rows, f"label {label} in {split}"
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(ArrayFile(folder / f"{name}.npy", kind, (rows, *shape)))
            for name, (kind, shape) in _shapes(made.plan).items()
        }
        for batch in examples.batches(split, [*made.plan.raw, label]):
            raw = {name: tf.constant(column) for name, column in arrays(batch, made.plan.raw).items()}
            for name, tensor in made.serve(raw).items():
                files[name].append(tensor.numpy())
            column = batch.column(batch.schema.get_field_index(label))
            files[LABEL].append(labels.encode(column, *task, where))
