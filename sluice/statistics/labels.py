"""Evidence about the label and row weights: exact counts over every split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features.labels import MAX_VALUES, as_text, infer_task
from sluice.gates.data.label import FLOAT32, LabelEvidence, SplitLabel, Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from sluice.examples.dataset import Examples
    from sluice.training.spec import Label


def gather(examples: Examples, label: Label, train: str, weights: Sequence[str] = ()) -> LabelEvidence:
    """Count what transform, train and evaluate would stop at.

    Args:
        examples: raw examples, which have the label's column.
        label: the label as configured.
        train: the split that is trained on.
        weights: columns that hold row weights.
    """
    counted = {split: _count(examples, split, label.column) for split in examples.manifest.splits}
    values, is_text = counted[train][1], examples.manifest.columns[label.column] == "string"
    problem, remedy, has_classes = "", "", False
    try:
        task, _ = infer_task(label, sorted(values), is_text=is_text)
        has_classes = task != "regression"
    except SluiceError as error:
        problem, remedy = error.what, error.remedy or "see `label` in sluice.yaml"
    splits = {
        split: SplitLabel(
            facts.rows, facts.missing, facts.beyond,
            {as_text(value): rows for value, rows in found.items()} if has_classes and len(found) <= MAX_VALUES else {},
        )
        for split, (facts, found) in counted.items()
    }  # fmt: skip
    held = {name: {split: _weigh(examples, split, name) for split in examples.manifest.splits} for name in weights}
    return LabelEvidence(label.column, splits, train, has_classes, problem, remedy, held)


def _count(examples: Examples, split: str, column: str) -> tuple[SplitLabel, Counter[Any]]:
    """Missing and extreme labels of a split, and its values: all of them, or somewhat over `MAX_VALUES`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values: Counter[Any] = Counter()
    rows = missing = beyond = 0
    for batch in examples.batches(split, [column]):
        found = batch.column(0)
        rows += len(found)
        missing += _missing(found)
        if pa.types.is_floating(found.type):
            far = pc.greater(pc.abs(found), FLOAT32)  # infinity is; NaN is not
            beyond += pc.sum(pc.fill_null(far, fill_value=False)).as_py() or 0
            found = found.filter(pc.invert(pc.is_nan(found)))
        if len(values) <= MAX_VALUES:
            counts = pc.value_counts(found.drop_null())
            values.update(dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)))
    return SplitLabel(rows, missing, beyond), values


def _missing(values: pa.Array) -> int:
    """Rows without a value: null, or NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return int(
        values.null_count + ((pc.sum(pc.is_nan(values)).as_py() or 0) if pa.types.is_floating(values.type) else 0)
    )


def _weigh(examples: Examples, split: str, column: str) -> Weights:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, kind = examples.manifest.splits[split].rows, examples.manifest.columns.get(column)
    if kind is None:
        return Weights(rows, "there is no such column")
    if kind not in ("int64", "double"):
        return Weights(rows, f"it holds {kind}, no numbers")
    missing, negative, total = 0, 0, 0.0
    for batch in examples.batches(split, [column]):
        found = pc.cast(batch.column(0), pa.float64())
        missing += _missing(found)
        fits = pc.and_(pc.greater_equal(found, 0.0), pc.is_finite(found))
        negative += len(found) - _missing(found) - (pc.sum(pc.fill_null(fits, fill_value=False)).as_py() or 0)
        total += pc.sum(found.filter(pc.fill_null(fits, fill_value=False))).as_py() or 0.0
    return Weights(rows, "", missing, negative, total)
