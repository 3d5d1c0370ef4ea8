"""Statistics by TFDV's own accumulators over Arrow batches: one pass, memory bounded by the batch.

TFDV's Beam path feeds the same accumulators; `compute` feeds them without Beam, `on_beam` through any runner. The two
agree exactly in counts, extremes and values of categories; means and deviations to rounding; medians, quantiles and
TFDV's equal-width histograms are sketches, and agree within the sketch's error (1 % of the rows).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.statistics.artifact import Histogram, SplitStatistics
from sluice.statistics.tables import Alone, Binned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

VOCABULARY_LIMIT = 10_000
"""Values of a category whose counts are kept, the most frequent first."""
QUANTILES = 20
"""Buckets of TFDV's quantile histograms; TFDV's cost of finishing a number's statistics grows with them."""


@dataclass(frozen=True)
class Computed:
    """What one pass over a split gives.

    Attributes:
        statistics: TFDV's statistics, exact histograms, and each feature against the label.
        aligned: exact histograms over a baseline's bins.
    """

    statistics: SplitStatistics
    aligned: dict[str, Histogram]


def options(weight: str | None = None) -> Any:
    """TFDV's options: the same in process and on Beam."""
    from tensorflow_data_validation.statistics import stats_options

    return stats_options.StatsOptions(
        num_rank_histogram_buckets=VOCABULARY_LIMIT, num_top_values=50, num_histogram_buckets=10,
        num_quantiles_histogram_buckets=QUANTILES, weight_feature=weight,
    )  # fmt: skip


def compute(
    batches: Iterable[pa.RecordBatch], *, categorical: set[str], edges: dict[str, tuple[float, ...]] | None = None,
    label: str = "", features: tuple[str, ...] = (), weight: str | None = None, tfdv: bool = True,
) -> Computed:  # fmt: skip
    """Statistics of a split.

    Args:
        batches: its rows.
        categorical: columns to be taken as categories (as text), whatever their type.
        edges: bins of numbers to count over as well, those of a baseline.
        label: the label's column, to hold features against; empty: not counted.
        features: the columns to hold against the label.
        weight: column of row weights for TFDV's weighted statistics.
        tfdv: False: the exact counts only, and empty statistics.
    """
    from tensorflow_data_validation.statistics import stats_impl
    from tensorflow_metadata.proto.v0 import statistics_pb2

    generators: list[Any] = stats_impl.get_generators(options(weight), in_memory=True) if tfdv else []
    accumulators = [generator.create_accumulator() for generator in generators]
    own, other, alone = Binned(), Binned(edges), Alone(features, label)
    for batch in batches:
        plain = as_features(batch, categorical)
        own.add(plain)
        if edges:
            other.add(plain)
        if label:
            alone.add(plain)
        listed = as_lists(plain) if tfdv else plain
        accumulators = [g.add_input(a, listed) for g, a in zip(generators, accumulators, strict=True)]
    proto = statistics_pb2.DatasetFeatureStatistics()
    if tfdv:
        proto = stats_impl.extract_statistics_output(accumulators, generators).datasets[0]
    areas = alone.areas() if label else {}
    return Computed(SplitStatistics(proto, own.histograms(), areas), other.histograms() if edges else {})


def on_beam(
    files: list[Path], *, categorical: set[str], beam_options: tuple[str, ...], weight: str | None = None
) -> Any:
    """TFDV's statistics of Parquet files through Beam, by the runner that Beam's own options name.

    Args:
        files: Parquet files, where the workers reach them.
        categorical: as for `compute`.
        beam_options: e.g. ``--runner=DataflowRunner``; none: in this process.
        weight: as for `compute`.

    Returns:
        TFDV's ``DatasetFeatureStatistics``.
    """
    import apache_beam as beam
    import tensorflow_data_validation as tfdv
    from apache_beam.options.pipeline_options import PipelineOptions
    from tensorflow_metadata.proto.v0 import statistics_pb2

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "stats.pb"
        with beam.Pipeline(options=PipelineOptions(list(beam_options or ("--runner=FnApiRunner",)))) as pipeline:
            _ = (
                pipeline
                | "Files" >> beam.Create([str(file) for file in files])
                | "Spread" >> beam.Reshuffle()
                | "Read" >> beam.FlatMap(_read, categorical=sorted(categorical))
                | "Statistics" >> tfdv.GenerateStatistics(options(weight))
                | "Write" >> tfdv.WriteStatisticsToBinaryFile(str(out))
            )
        listed = statistics_pb2.DatasetFeatureStatisticsList.FromString(out.read_bytes())
    return listed.datasets[0]


def _read(file: str, categorical: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches():
            yield as_lists(as_features(batch, set(categorical)))


def as_features(batch: pa.RecordBatch, categorical: set[str]) -> pa.RecordBatch:
    """Columns as the model takes them.

    Categories and booleans as text, times as seconds since 1970, numbers as they are.
    """
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
        offsets: np.ndarray = np.zeros(len(column) + 1, np.int32)
        np.cumsum(present, out=offsets[1:])
        values = column.filter(valid) if not present.all() else column
        if pa.types.is_string(values.type):
            values = values.cast(pa.binary())
        mask: np.ndarray = np.append(~present, [False])
        lists.append(pa.ListArray.from_arrays(pa.array(offsets, pa.int32(), mask=mask), values))
    return pa.RecordBatch.from_arrays(lists, names=batch.schema.names)
