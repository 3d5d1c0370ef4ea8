"""Exact counts beside TFDV's statistics: numbers over bins, and every feature against the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.statistics.artifact import Histogram

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 20
"""Bins of a number's exact histogram; their edges are quantiles of the first batch."""
MAX_VALUES = 1000
"""A category of more values is not held against the label: an identifier knows every row."""


def is_number(kind: pa.DataType) -> bool:
    """Whether a column's type is counted over bins."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


class Binned:
    """Exact counts of every number over bins, batch by batch."""

    def __init__(self, edges: dict[str, tuple[float, ...]] | None = None) -> None:
        self._given = edges
        self._edges: dict[str, np.ndarray] = {k: np.asarray(v) for k, v in (edges or {}).items()}
        self._counts: dict[str, np.ndarray] = {}
        self._missing: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if not is_number(column.type) or (self._given is not None and name not in self._given):
                continue
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
            values = values[~np.isnan(values)]
            if name not in self._edges:
                self._edges[name] = quantile_edges(values)
            edges = self._edges[name]
            counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
            self._counts[name] = self._counts.get(name, 0) + counts
            self._missing[name] = self._missing.get(name, 0) + len(column) - len(values)

    def histograms(self) -> dict[str, Histogram]:
        """What was counted."""
        return {
            name: Histogram(tuple(self._edges[name].tolist()), tuple(counts.tolist()), self._missing[name])
            for name, counts in self._counts.items()
        }


def quantile_edges(values: np.ndarray) -> np.ndarray:
    """Distinct inner quantiles; a value that a large part of the rows share gets a bin of its own."""
    if not len(values):
        return np.empty(0)
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))


class Alone:
    """How well each feature alone ranks a label of two values: rows by bin (or value) and label, batch by batch."""

    def __init__(self, features: tuple[str, ...], label: str) -> None:
        self._features, self._label = features, label
        self._edges: dict[str, np.ndarray] = {}
        self._counts: dict[str, dict[object, np.ndarray]] = {name: {} for name in features}
        self._positive: object = None
        self._binary = True

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch."""
        position = batch.schema.get_field_index(self._label)
        if position < 0 or not self._binary:
            return
        label = batch.column(position)
        values = sorted(str(v) for v in label.unique().to_pylist() if v is not None)
        if len(values) > 2:
            self._binary = False
            return
        self._positive = self._positive or (values[-1] if values else None)
        hit = np.array([str(v) for v in label.to_pylist()], object) == self._positive
        for name in self._features:
            place = batch.schema.get_field_index(name)
            if place < 0 or (name in self._counts and len(self._counts[name]) > MAX_VALUES):
                continue
            keys, codes = self._codes(name, batch.column(place))
            table = np.bincount(codes * 2 + hit, minlength=2 * len(keys)).reshape(-1, 2)
            for key, row in zip(keys, table, strict=True):
                held = self._counts[name].get(key)
                self._counts[name][key] = row if held is None else held + row

    def _codes(self, name: str, column: pa.Array) -> tuple[list[object], np.ndarray]:
        """A column's bins or values, and which each row has; the missing are a value of their own."""
        if is_number(column.type):
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
            missing = np.isnan(values)
            if name not in self._edges:
                self._edges[name] = quantile_edges(values[~missing])
            size = len(self._edges[name]) + 1
            codes = np.where(missing, size, np.searchsorted(self._edges[name], values, side="left"))
            return list(range(size + 1)), codes
        encoded = column.dictionary_encode()
        keys: list[object] = [*encoded.dictionary.to_pylist(), None]
        codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.float64)
        return keys, np.where(np.isnan(codes), len(keys) - 1, codes).astype(np.int64)

    def areas(self) -> dict[str, float]:
        """Feature to the area under the ROC curve of the label's rate by bin or value."""
        if not self._binary:
            return {}
        found = {}
        for name, counts in self._counts.items():
            if not counts or len(counts) > MAX_VALUES:
                continue
            table = np.array(list(counts.values()), np.float64)
            table = table[table.sum(axis=1) > 0]
            order = np.argsort(table[:, 1] / table.sum(axis=1), kind="stable")
            downs, ups = table[order].T
            pairs = ups.sum() * downs.sum()
            if pairs:
                found[name] = float((ups * (np.cumsum(downs) - downs / 2)).sum() / pairs)
        return found
