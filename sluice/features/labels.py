"""Labels: what the task is, and the label's values as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.models.manifest import Task
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from sluice.statistics.artifact import SplitStatistics
    from sluice.training.spec import Label

MAX_CLASSES = 50
"""Classes that `auto` takes for a task of several classes; more are a regression."""
MAX_VALUES = 10_000
"""Classes of a task that says itself that it has classes."""


def settle(label: Label, statistics: SplitStatistics, batches: Iterable[pa.RecordBatch]) -> tuple[Task, list[str]]:
    """The task, and the label's classes as text in the order of the model's outputs (none for a regression).

    Args:
        label: the label as configured.
        statistics: of the train split.
        batches: the label's column in the train split; read only until it is clear what the label is.

    Raises:
        SluiceError: the label is constant, has missing values, or does not fit the configured task.
    """
    feature = statistics.feature(label.column)
    missing = common_of(feature).num_missing
    if missing:
        raise SluiceError(f"the label is missing in {missing:,} rows of the train split", where=f"label: {label.column}",
                          remedy="leave such rows out in the source")  # fmt: skip
    classes = sorted(_distinct(batches, MAX_CLASSES if label.task == "auto" else MAX_VALUES))
    return infer_task(label, classes, is_text=feature.HasField("string_stats"))


def infer_task(label: Label, classes: list[Any], *, is_text: bool) -> tuple[Task, list[str]]:
    """The task, and its classes as text in the order of the model's outputs (none for a regression).

    Args:
        label: the label as configured.
        classes: its distinct values in the train split, ascending; some of them where there are more than `MAX_VALUES`.
        is_text: whether they are texts.

    Raises:
        SluiceError: the label is constant, or does not fit the configured task.
    """
    if len(classes) < 2:
        raise SluiceError(f"the label has one value only: {classes}", where=f"label: {label.column}",
                          remedy="a constant label teaches nothing; check the source")  # fmt: skip
    whole = not isinstance(classes[0], float) or all(value.is_integer() for value in classes)
    task = label.task
    if task == "auto":
        task = (
            "binary" if len(classes) == 2 else "multiclass" if whole and len(classes) <= MAX_CLASSES else "regression"
        )
    if task == "regression":
        if is_text:
            raise SluiceError("a regression needs a number", where=f"label: {label.column}", remedy="set label.task")
        return Task.REGRESSION, []
    if task == "binary" and len(classes) != 2:
        raise SluiceError(f"the label has {len(classes)} values, a binary task two", where=f"label: {label.column}",
                          remedy="set label.task to multiclass or regression")  # fmt: skip
    if len(classes) > MAX_VALUES:
        raise SluiceError(f"the label has more than {MAX_VALUES:,} values", where=f"label: {label.column}",
                          remedy="set label.task to regression, or group its values")  # fmt: skip
    texts = [as_text(value) for value in classes]
    if task == "binary" and label.positive is not None:
        if label.positive not in texts:
            raise SluiceError(f"the positive value {label.positive!r} does not occur", where="label.positive",
                              remedy=f"values: {', '.join(texts)}")  # fmt: skip
        texts.sort(key=lambda text: text == label.positive)
    return Task(task), texts


def encode(values: pa.ChunkedArray | pa.Array, task: Task, classes: list[str], where: str) -> np.ndarray:
    """The label as the model's loss takes it: float32, shape [rows]; for classes, their index.

    Raises:
        SluiceError: a class that training did not see, a missing or an infinite label.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = values.null_count or (pc.sum(pc.is_nan(values)).as_py() if pa.types.is_floating(values.type) else 0)
    if missing:
        raise SluiceError(f"the label is missing in {missing:,} rows", where=where, remedy="leave such rows out")
    if task is Task.REGRESSION:
        numbers = np.asarray(values.to_numpy(), np.float32)
        if infinite := int(np.isinf(numbers).sum()):
            raise SluiceError(f"the label is infinite in {infinite:,} rows", where=where, remedy="leave such rows out")
        return numbers
    index = {text: position for position, text in enumerate(classes)}
    unique = values.unique().to_pylist()
    if unseen := [value for value in unique if as_text(value) not in index]:
        raise SluiceError(f"the class {unseen[0]!r} was not in the train split", where=where,
                          remedy=f"known classes: {', '.join(classes)}; give more data or leave its rows out")  # fmt: skip
    encoded = values.dictionary_encode()
    encoded = encoded.combine_chunks() if hasattr(encoded, "combine_chunks") else encoded
    if hasattr(encoded, "chunk"):
        encoded = encoded.chunk(0)
    positions = np.array([index[as_text(value)] for value in encoded.dictionary.to_pylist()], np.float32)
    return positions[encoded.indices.to_numpy()]


def as_text(value: Any) -> str:
    """A class as text: integers (of any type) in decimal, booleans as ``true`` and ``false``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _distinct(batches: Iterable[pa.RecordBatch], enough: int) -> set[Any]:
    """The values, or some of them where there are more than `enough`."""
    values: set[Any] = set()
    for batch in batches:
        values |= set(batch.column(0).unique().to_pylist())
        if len(values) > enough:
            break
    return values
