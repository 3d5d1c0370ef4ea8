"""Statistics by TFDV's own accumulators over Arrow batches: one pass, memory bounded by the batch.

TFDV's Beam path feeds the same accumulators; `compute` feeds them without Beam, `on_beam` through any runner. The two
agree exactly in counts, extremes and values of categories; means and deviations to rounding; medians, quantiles and
TFDV's equal-width histograms are sketches, and agree within the sketch's error (1 % of the rows).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.examples.columns import as_text
from sluice.statistics.artifact import Histogram, SplitStatistics
from sluice.statistics.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

VOCABULARY_LIMIT = 10_000
"""Values of a category whose counts are kept, the most frequent first."""
MAX_SLICES = 200
QUANTILES = 10
"""Buckets of TFDV's quantile histograms; TFDV's cost of finishing a number's statistics grows with them."""


@dataclass(frozen=True)
class Computed:
    """What one pass over a split gives.

    Attributes:
        statistics: TFDV's statistics, exact histograms, and each feature against the label.
        aligned: exact histograms over a baseline's bins.
        held_out: feature to the AUC with which it alone ranks the label of rows that its rates were not taken from.
    """

    statistics: SplitStatistics
    aligned: dict[str, Histogram]
    held_out: dict[str, float] = field(default_factory=dict)


def options(weight: str | None = None) -> Any:
    """TFDV's options: the same in process and on Beam."""
    from tensorflow_data_validation.statistics import stats_options

    return stats_options.StatsOptions(
        num_rank_histogram_buckets=VOCABULARY_LIMIT, num_top_values=50, num_histogram_buckets=10,
        num_quantiles_histogram_buckets=QUANTILES, weight_feature=weight,
    )  # fmt: skip


def compute(
    batches: Callable[[], Iterable[pa.RecordBatch]], *, categorical: set[str],
    edges: dict[str, tuple[float, ...]] | None = None, label: str = "", features: tuple[str, ...] = (),
    weight: str | None = None, tfdv: bool = True, shards: int = 1,
) -> Computed:  # fmt: skip
    """Statistics of a split.

    Args:
        batches: gives its rows; called once a shard.
        categorical: columns to be taken as categories (as text), whatever their type.
        edges: bins of numbers to count over as well, those of a baseline.
        label: the label's column, to hold features against; empty: not counted.
        features: the columns to hold against the label.
        weight: column of row weights for TFDV's weighted statistics.
        tfdv: False: the exact counts only, and empty statistics.
        shards: processes that share the batches. Counts, extremes, histograms and values of categories merge exactly,
            means and deviations to rounding; TFDV's quantiles are sketches and merge within their error.
    """
    from tensorflow_data_validation.statistics import stats_impl
    from tensorflow_metadata.proto.v0 import statistics_pb2

    generators: list[Any] = stats_impl.get_generators(options(weight), in_memory=True) if tfdv else []
    tables = Tables(features, label, edges)

    def work(shard: int) -> tuple[list[Any], Tables]:
        accumulators = [generator.create_accumulator() for generator in generators]
        for number, batch in enumerate(batches()):
            if number and number % shards != shard:
                continue
            plain = as_features(batch, categorical)
            if not number:
                tables.settle(plain)  # every shard has the bins of the first batch
            if number % shards == shard:
                tables.add(plain)
                if tfdv:
                    listed = as_lists(plain)
                    accumulators = [g.add_input(a, listed) for g, a in zip(generators, accumulators, strict=True)]
        return accumulators, tables

    parts = [work(0)] if shards == 1 else _forked(work, shards)
    for _, other in parts[1:] if shards == 1 else parts:
        tables.merge(other)
    proto = statistics_pb2.DatasetFeatureStatistics()
    if tfdv:
        columns = zip(*(accumulators for accumulators, _ in parts), strict=True)
        merged = [g.merge_accumulators(list(held)) for g, held in zip(generators, columns, strict=True)]
        proto = stats_impl.extract_statistics_output(merged, generators).datasets[0]
    return Computed(SplitStatistics(proto, tables.histograms(), tables.alone()), tables.aligned(), tables.held_out())


def _forked(work: Callable[[int], Any], shards: int) -> list[Any]:
    """Run the shards in forked processes, which have the imports already."""
    import multiprocessing
    import pickle

    context = multiprocessing.get_context("fork")

    def run(shard: int, sender: Any) -> None:
        try:
            sender.send_bytes(pickle.dumps(work(shard)))
        except Exception as error:
            sender.send_bytes(pickle.dumps(error))

    running = []
    for shard in range(shards):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(shard, sender))
        process.start()
        sender.close()
        running.append((process, receiver))
    made = []
    for process, receiver in running:
        made.append(pickle.loads(receiver.recv_bytes()))  # noqa: S301 - from our own fork
        process.join()
    for part in made:
        if isinstance(part, Exception):
            raise part
    return made


def by_slice(
    batches: Callable[[], Iterable[pa.RecordBatch]], column: str, *, categorical: set[str], weight: str | None = None
) -> dict[str, Any]:
    """TFDV's statistics of every value of a column, as TFDV names slices, e.g. ``origin_JFK``.

    Raises:
        SluiceError: the column has too many values.
    """
    import pyarrow.compute as pc

    values: set[Any] = set()
    for batch in batches():
        values |= set(batch.column(batch.schema.get_field_index(column)).unique().to_pylist())
        if len(values) > MAX_SLICES:
            raise SluiceError(f"{column!r} has more than {MAX_SLICES} values", where="policies.data.slices",
                              remedy="slice by a column of fewer values")  # fmt: skip
    made = {}
    for value in sorted(values - {None}, key=str):

        def rows(value: Any = value) -> Iterator[pa.RecordBatch]:
            for batch in batches():
                held = batch.filter(pc.equal(batch.column(batch.schema.get_field_index(column)), value))
                if held.num_rows:
                    yield held

        proto = compute(rows, categorical=categorical, weight=weight).statistics.proto
        proto.name = f"{column}_{value}"
        made[proto.name] = proto
    return made


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

    Categories and booleans as text, times and dates as seconds since 1970, numbers as they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type
        if pa.types.is_boolean(kind) or name in categorical:
            columns.append(as_text(column))
        elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            columns.append(pc.divide(pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.int64()), 1_000_000))
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
