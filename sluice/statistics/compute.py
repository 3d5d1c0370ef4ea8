"""Statistics by TFDV's own accumulators over Arrow batches: one pass, memory bounded by the batch.

TFDV's Beam path feeds the same accumulators; here they are fed without Beam.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.statistics.artifact import Histogram, SplitStatistics

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

VOCABULARY_LIMIT = 10_000
"""Values of a category whose counts are kept, the most frequent first."""
BINS = 20
"""Bins of a number's exact histogram; their edges are quantiles of the first batch."""


def compute(
    batches: Iterable[pa.RecordBatch], *, categorical: set[str], edges: dict[str, tuple[float, ...]] | None = None
) -> tuple[SplitStatistics, dict[str, Histogram]]:
    """Statistics of a split.

    Args:
        batches: its rows.
        categorical: columns to be taken as categories (as text), whatever their type.
        edges: bins of numbers to count over as well, those of a baseline.

    Returns:
        The statistics, and the histograms over the baseline's bins.
    """
    from tensorflow_data_validation.statistics import stats_impl, stats_options

    options = stats_options.StatsOptions(
        num_rank_histogram_buckets=VOCABULARY_LIMIT, num_top_values=50, num_histogram_buckets=BINS,
        num_quantiles_histogram_buckets=100,
    )  # fmt: skip
    generators: list[Any] = stats_impl.get_generators(options, in_memory=True)
    accumulators = [generator.create_accumulator() for generator in generators]
    own, other = _Binned(), _Binned(edges)
    for batch in batches:
        plain = as_features(batch, categorical)
        own.add(plain)
        if edges:
            other.add(plain)
        listed = as_lists(plain)
        accumulators = [g.add_input(a, listed) for g, a in zip(generators, accumulators, strict=True)]
    proto = stats_impl.extract_statistics_output(accumulators, generators).datasets[0]
    return SplitStatistics(proto, own.histograms()), other.histograms()


def as_features(batch: pa.RecordBatch, categorical: set[str]) -> pa.RecordBatch:
    """Columns as the model takes them: categories and booleans as text, times as seconds since 1970, numbers as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type
        if pa.types.is_boolean(kind) or (name in categorical and not pa.types.is_string(kind)):
            columns.append(pc.cast(column, pa.string()))
        elif pa.types.is_timestamp(kind):
            columns.append(pc.divide(pc.cast(column, pa.timestamp("us")).cast(pa.int64()), 1_000_000))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Columns as TFDV wants them: a list of one value a row, no list where it is missing. NaN counts as missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = []
    for column in batch.columns:
        valid = column.is_valid()
        if pa.types.is_floating(column.type):
            valid = pc.fill_null(pc.invert(pc.is_nan(column)), False)
        present = valid.to_numpy(zero_copy_only=False)
        offsets = np.zeros(len(column) + 1, np.int32)
        np.cumsum(present, out=offsets[1:])
        values = column.filter(valid) if not present.all() else column
        if pa.types.is_string(values.type):
            values = values.cast(pa.binary())
        mask = np.append(~present, [False])
        lists.append(pa.ListArray.from_arrays(pa.array(offsets, pa.int32(), mask=mask), values))
    return pa.RecordBatch.from_arrays(lists, names=batch.schema.names)


class _Binned:
    """Exact counts of every number over bins, batch by batch."""

    def __init__(self, edges: dict[str, tuple[float, ...]] | None = None) -> None:
        self._given = edges
        self._edges: dict[str, np.ndarray] = {k: np.asarray(v) for k, v in (edges or {}).items()}
        self._counts: dict[str, np.ndarray] = {}
        self._missing: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
                continue
            if self._given is not None and name not in self._given:
                continue
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
            values = values[~np.isnan(values)]
            if name not in self._edges:
                inner = (
                    np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf") if len(values) else []
                )
                self._edges[name] = np.unique(inner)
            edges = self._edges[name]
            counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
            self._counts[name] = self._counts.get(name, 0) + counts
            self._missing[name] = self._missing.get(name, 0) + len(column) - len(values)

    def histograms(self) -> dict[str, Histogram]:
        return {
            name: Histogram(tuple(self._edges[name].tolist()), tuple(counts.tolist()), self._missing[name])
            for name, counts in self._counts.items()
        }
