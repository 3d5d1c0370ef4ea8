"""Exact counts beside TFDV's statistics: numbers over bins, and every feature against the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.statistics.artifact import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

BINS = 20
"""Bins of a number's exact histogram; their edges are quantiles of the first batch."""
MAX_VALUES = 1000
"""A category of more values is not held against the label: an identifier knows every row."""


class Tables:
    """Counts of rows by feature and label, batch by batch; merging two of the same edges is exact.

    Args:
        features: columns that are held against the label.
        label: the label's column; empty: none.
        edges: bins of numbers to count over as well, those of a baseline.
    """

    def __init__(self, features: Iterable[str], label: str, edges: dict[str, tuple[float, ...]] | None = None) -> None:
        self._features, self._label = set(features), label
        self._baseline = {name: np.asarray(ends) for name, ends in (edges or {}).items()}
        self._own: dict[str, np.ndarray] = {}
        self._ends: dict[str, np.ndarray] = {}  # the union of own and baseline edges
        self._numbers: dict[str, np.ndarray] = {}  # rows by bin of the union (the missing last) and label
        self._values: dict[str, dict[Any, np.ndarray]] = {}
        self._positive: Any = None
        self._binary = bool(label)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch."""
        hit = self._hits(batch)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if _is_number(column.type):
                self._number(name, column, hit)
            elif self._binary and name in self._features and len(self._values.get(name, ())) <= MAX_VALUES:
                self._category(name, column, hit)

    def settle(self, batch: pa.RecordBatch) -> None:
        """Settle bins and the label's positive value by a first batch, without counting it."""
        self._hits(batch)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if _is_number(column.type):
                self._bins(name, column.to_numpy(zero_copy_only=False).astype(np.float64))

    def merge(self, other: Tables) -> None:
        """Add the counts of another shard, whose bins were settled by the same batch."""
        if other is self:
            return
        self._own, self._ends, self._positive = other._own, other._ends, other._positive
        self._binary = self._binary and other._binary
        for name, table in other._numbers.items():
            self._numbers[name] = self._numbers.get(name, 0) + table
        for name, counts in other._values.items():
            held = self._values.setdefault(name, {})
            for key, row in counts.items():
                held[key] = held[key] + row if key in held else row

    def _bins(self, name: str, values: np.ndarray) -> None:
        if name not in self._ends:
            self._own[name] = _quantile_edges(values[~np.isnan(values)])
            self._ends[name] = np.union1d(self._own[name], self._baseline.get(name, np.empty(0)))

    def _hits(self, batch: pa.RecordBatch) -> np.ndarray:
        """1 where the label has the greater of its two values."""
        import pyarrow.compute as pc

        position = batch.schema.get_field_index(self._label) if self._binary else -1
        if position >= 0:
            label = batch.column(position)
            values = sorted(value for value in label.unique().to_pylist() if value is not None)
            self._positive = values[-1] if self._positive is None and values else self._positive
            self._binary = len(values) <= 2 and self._positive is not None
            if self._binary:
                hits = pc.fill_null(pc.equal(label, self._positive), False)
                return np.asarray(hits.to_numpy(zero_copy_only=False), np.int64)
        self._binary = False
        return np.zeros(batch.num_rows, np.int64)

    def _number(self, name: str, column: pa.Array, hit: np.ndarray) -> None:
        values = column.to_numpy(zero_copy_only=False)
        if values.dtype != np.float64:
            values = values.astype(np.float64)
        missing = np.isnan(values)
        self._bins(name, values)
        size = len(self._ends[name]) + 2
        codes = np.searchsorted(self._ends[name], values, side="left")
        codes[missing] = size - 1
        table = np.bincount(codes * 2 + hit, minlength=2 * size).reshape(-1, 2)
        self._numbers[name] = self._numbers.get(name, 0) + table

    def _category(self, name: str, column: pa.Array, hit: np.ndarray) -> None:
        encoded = column.dictionary_encode()
        keys = [*encoded.dictionary.to_pylist(), None]
        indices = encoded.indices.fill_null(len(keys) - 1).to_numpy(zero_copy_only=False).astype(np.int64)
        table = np.bincount(indices * 2 + hit, minlength=2 * len(keys)).reshape(-1, 2)
        counts = self._values.setdefault(name, {})
        for key, row in zip(keys, table, strict=True):
            counts[key] = counts[key] + row if key in counts else row

    def histograms(self) -> dict[str, Histogram]:
        """Every number over bins of its own."""
        return {name: self._histogram(name, self._own[name]) for name in self._numbers}

    def aligned(self) -> dict[str, Histogram]:
        """Every number that the baseline knows, over the baseline's bins."""
        return {name: self._histogram(name, self._baseline[name]) for name in self._numbers if name in self._baseline}

    def _histogram(self, name: str, edges: np.ndarray) -> Histogram:
        counts = self._over(name, edges).sum(axis=1)
        return Histogram(tuple(edges.tolist()), tuple(counts[:-1].tolist()), int(counts[-1]))

    def _over(self, name: str, edges: np.ndarray) -> np.ndarray:
        """Rows by bin (the missing last) and label, over some of the edges that were counted."""
        starts = np.concatenate([[0], np.searchsorted(self._ends[name], edges) + 1])
        table = self._numbers[name]
        return np.vstack([np.add.reduceat(table[:-1], starts, axis=0), table[-1:]])

    def alone(self) -> dict[str, float]:
        """Feature to the area under the ROC curve of the label's rate by bin or value; none for other labels."""
        return {name: area for name, table in self._by_label() if (area := _area(table)) is not None}

    def held_out(self) -> dict[str, float]:
        """The same, of rows that the rates were not taken from: a column of rare values does not rank by knowing each.

        Every row is dealt to one of two parts by a seeded coin; each part is ranked by the other's rates, and the
        mean of both areas is taken.
        """
        return {name: area for name, table in self._by_label() if (area := _held_out_area(table)) is not None}

    def _by_label(self) -> list[tuple[str, np.ndarray]]:
        """Rows by bin or value, and label, of every feature, in an order that does not hang on that of the rows."""
        if not self._binary:
            return []
        tables = {name: self._over(name, self._own[name]) for name in self._numbers if name in self._features}
        for name, counts in self._values.items():
            if len(counts) <= MAX_VALUES:
                tables[name] = np.array(
                    [counts[key] for key in sorted(counts, key=lambda key: (key is None, str(key)))]
                )
        return sorted(tables.items())


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _quantile_edges(values: np.ndarray) -> np.ndarray:
    """Distinct inner quantiles; a value that a large part of the rows share gets a bin of its own."""
    if not len(values):
        return np.empty(0)
    ranks = np.ceil(np.linspace(0, 1, BINS + 1)[1:-1] * len(values)).astype(np.int64) - 1
    return np.unique(np.partition(values, ranks)[ranks])


def _area(table: np.ndarray) -> float | None:
    held = table[table.sum(axis=1) > 0].astype(np.float64)
    order = np.argsort(held[:, 1] / held.sum(axis=1), kind="stable")
    downs, ups = held[order].T
    pairs = ups.sum() * downs.sum()
    return float((ups * (np.cumsum(downs) - downs / 2)).sum() / pairs) if pairs else None


def _held_out_area(table: np.ndarray) -> float | None:
    held = table[table.sum(axis=1) > 0].astype(np.int64)
    one = np.random.default_rng(0).binomial(held, 0.5)
    areas = [_ranked_by(one, held - one), _ranked_by(held - one, one)]
    return None if None in areas else float(np.mean(areas))  # type: ignore[arg-type]


def _ranked_by(known: np.ndarray, other: np.ndarray) -> float | None:
    """Area of the other rows, ranked by the known ones' rates; a rate of few rows is drawn to the whole's."""
    rows, ups = known.sum(axis=1), known[:, 1]
    rates = (ups + ups.sum() / max(1, rows.sum())) / (rows + 1)
    groups = np.unique(rates, return_inverse=True)[1]
    merged = np.zeros((groups.max() + 1, 2))
    np.add.at(merged, groups, other)
    downs, ups = merged.T
    pairs = ups.sum() * downs.sum()
    return float((ups * (np.cumsum(downs) - downs / 2)).sum() / pairs) if pairs else None
