"""Predictions, made once for every model on the same rows, or read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sluice.errors import SluiceError
from sluice.evaluation.evidence import CHALLENGER, CHAMPION, Slices
from sluice.evaluation.metrics import Rows
from sluice.features.labels import as_text, encode
from sluice.gates.model.evidence import OVERALL, slice_name
from sluice.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sluice.examples.dataset import Examples
    from sluice.gates.model.policy import ModelPolicy
    from sluice.models.adapter import Predictor
    from sluice.models.manifest import ModelManifest

MAX_SLICES = 1000
T = TypeVar("T")
PREDICTION = "prediction"


@dataclass(frozen=True)
class Scored:
    """What models predicted for the same rows.

    Attributes:
        task: ``binary``, ``multiclass``, ``regression`` or ``ranking``.
        label: the label's column.
        models: ``challenger`` and, if there is one, ``champion``.
        table: label, slice, weight and group columns of the same rows.
    """

    task: str
    label: str
    models: dict[str, Rows]
    table: pa.Table


def score(predictors: dict[str, Predictor], examples: Examples, split: str, policy: ModelPolicy) -> Scored:
    """Score a split with every model, batch by batch.

    Raises:
        SluiceError: a column that the policy names is not there, or the models predict different things.
    """
    import pyarrow as pa

    manifest = predictors[CHALLENGER].manifest
    if CHAMPION in predictors:
        _comparable(manifest, predictors[CHAMPION].manifest)
    kept = _columns(policy, manifest.label, list(examples.manifest.columns))
    made: dict[str, list[np.ndarray]] = {name: [] for name in predictors}
    batches, rows = [], 0
    for batch in examples.batches(split):
        for name, predictor in predictors.items():
            made[name].append(predictor.predict(batch))
        batches.append(pa.RecordBatch.from_arrays([batch.column(batch.schema.get_field_index(c)) for c in kept], kept))
        rows += batch.num_rows
        progress(f"scored {rows:,} rows")
    table = pa.Table.from_batches(batches)
    where = f"label {manifest.label} in {split}"
    label = encode(table.column(manifest.label), manifest.task, manifest.classes, where).astype(np.float64)
    predictions = {name: np.concatenate(parts) for name, parts in made.items()}
    return _scored(str(manifest.task), manifest.label, label, predictions, table, policy)


def read(files: dict[str, Path], *, task: str, label: str, key: str, policy: ModelPolicy) -> Scored:
    """Predictions from Parquet or CSV files with a key, the label, and a column ``prediction``.

    Args:
        files: ``challenger`` and, if there is one, ``champion``; rows are matched by key.
        task: ``binary``, ``regression`` or ``ranking``; several classes need a model.
        label: the label's column: 0 and 1, the value, or the relevance.
        key: column that names a row, once in every file.
        policy: names the other columns, which the challenger's file holds.

    Raises:
        SluiceError: a column is missing, a key stands twice, or the files hold different rows.
    """
    import pandas as pd
    import pyarrow as pa

    frames = {}
    for name, path in files.items():
        try:
            frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise SluiceError(
                f"cannot be read: {error}", where=str(path), remedy="give a Parquet or CSV file"
            ) from error
        for column in (key, label, PREDICTION):
            if column not in frame:
                raise SluiceError(
                    f"the column {column!r} is missing", where=str(path), remedy=f"columns: {', '.join(frame)}"
                )
        if frame[key].duplicated().any():
            raise SluiceError(
                f"the key {key!r} names rows twice", where=str(path), remedy="name a column that is unique"
            )
        frames[name] = frame.set_index(key, drop=False).sort_index()
    ours = frames[CHALLENGER]
    if CHAMPION in frames and not ours.index.equals(frames[CHAMPION].index):
        raise SluiceError("the two files hold different rows", where=f"{files[CHAMPION]}, {files[CHALLENGER]}",
                          remedy="score both models on the same rows")  # fmt: skip
    kept = _columns(policy, label, list(ours))
    table = pa.Table.from_pandas(ours[list(dict.fromkeys([key, *kept]))], preserve_index=False)
    predictions = {name: frame[PREDICTION].to_numpy(np.float64) for name, frame in frames.items()}
    return _scored(task, label, ours[label].to_numpy(np.float64), predictions, table, policy)


def _scored(
    task: str, name: str, label: np.ndarray, predictions: dict[str, np.ndarray], table: pa.Table, policy: ModelPolicy
) -> Scored:
    weight = None
    if policy.weight:
        weight = np.asarray(table.column(policy.weight).to_numpy(), np.float64)
        if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.sum():
            raise SluiceError(
                "weights must be numbers from 0, and not all 0", where=f"policies.model.weight: {policy.weight}"
            )
    if task == "ranking" and not policy.group:
        raise SluiceError("a ranking needs the column of its queries", where="policies.model.group")
    query = groups_of(table, policy) if task == "ranking" else None
    models = {model: Rows(label, values, weight, query) for model, values in predictions.items()}
    for model, values in predictions.items():
        if not np.isfinite(values).all():
            raise SluiceError(f"the {model} predicts {int((~np.isfinite(values)).sum()):,} values that are not numbers",
                              where="evaluate", remedy="look for extreme inputs, or train again with a lower learning rate")  # fmt: skip
    return Scored(task, name, models, table)


def _comparable(challenger: ModelManifest, champion: ModelManifest) -> None:
    for what in ("task", "label", "classes"):
        ours, theirs = getattr(challenger, what), getattr(champion, what)
        if ours != theirs:
            raise SluiceError(f"the challenger's {what} is {ours}, the champion's {theirs}: they cannot be compared",
                              where="evaluate", remedy="start a new ledger for a new question, or use the champion's label")  # fmt: skip


def _columns(policy: ModelPolicy, label: str, known: list[str]) -> list[str]:
    """The columns that are kept beside the predictions: label, slice columns, weight, group."""
    named = [label, *(column for group in policy.sliced() for column in group)]
    named += [column for column in (policy.weight, policy.group) if column]
    if absent := [name for name in named if name not in known]:
        raise SluiceError(f"{absent[0]!r} is not a column of the examples", where="policies.model",
                          remedy=f"columns: {', '.join(known)}")  # fmt: skip
    return list(dict.fromkeys(named))


def groups_of(table: pa.Table, policy: ModelPolicy) -> np.ndarray | None:
    """Group of each row, as a number; None where rows stand for themselves."""
    return _codes(_texts(table, policy.group, policy))[1] if policy.group else None


def slices_of(table: pa.Table, policy: ModelPolicy) -> Slices:
    """Every slice of the policy's column groups, by name, e.g. ``carrier=AA, origin=JFK``."""
    rows = {OVERALL: np.arange(table.num_rows)}
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    keys: dict[str, tuple[tuple[str, str], ...]] = {}
    for group in policy.sliced():
        values, codes = _codes(list(zip(*(_texts(table, name, policy) for name in group), strict=True)))
        if len(values) > MAX_SLICES:
            raise SluiceError(f"{' x '.join(group)} has {len(values):,} slices", where="policies.model.slices",
                              remedy=f"at most {MAX_SLICES:,} can be judged: name columns with fewer values, or bins")  # fmt: skip
        found = [tuple(zip(group, value, strict=True)) for value in values]
        names = [slice_name(key) for key in found]
        order = np.argsort(codes, kind="stable")
        rows |= dict(zip(names, np.split(order, np.cumsum(np.bincount(codes))[:-1]), strict=True))
        keys |= dict(zip(names, found, strict=True))
        groups[group] = tuple(names)
    return Slices(rows, groups, keys)


def _codes(values: list[T]) -> tuple[list[T], np.ndarray]:
    """Distinct values, sorted, and the position of each row's value among them."""
    names = sorted(set(values))  # type: ignore[type-var]
    index = {name: position for position, name in enumerate(names)}
    return names, np.fromiter((index[value] for value in values), np.int64, len(values))


def _texts(table: pa.Table, name: str, policy: ModelPolicy) -> list[str]:
    """A column's values as text; a number with bins as the bin it lies in, e.g. ``(500, 1000]``."""
    values = table.column(name).to_pylist()
    if name not in policy.bins:
        return ["(missing)" if value is None else as_text(value) for value in values]
    ends = policy.bins[name]
    labels = [f"..{ends[0]:g}]", *(f"({a:g}, {b:g}]" for a, b in pairwise(ends)), f"({ends[-1]:g}.."]
    numbers = np.array([np.nan if value is None else value for value in values], np.float64)
    places = np.searchsorted(np.asarray(ends), numbers, side="left")
    return ["(missing)" if np.isnan(number) else labels[place] for number, place in zip(numbers, places, strict=True)]
