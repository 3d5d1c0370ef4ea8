"""The same transform with TensorFlow Transform on Beam: `python -m tests.bench.transform_tft FOLDER`; prints CPU seconds.

Needs tensorflow-transform beside the component environment: `tests.bench.transform` brings it, for itself alone.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.transform import CATEGORIES, NUMBERS

ROWS = 1000
"""Rows a batch, as tfx_bsl's own sources make them."""


def preprocess(inputs: dict[str, Any]) -> dict[str, Any]:
    """What ours does as well: z-scores, and vocabularies."""
    import tensorflow_transform as tft

    numbers = {name: tft.scale_to_z_score(inputs[name]) for name in NUMBERS}
    return numbers | {name: tft.compute_and_apply_vocabulary(inputs[name], num_oov_buckets=1) for name in CATEGORIES}


def batches(folder: Path) -> list[pa.RecordBatch]:
    """Rows as TensorFlow Transform takes them: a list for each value."""
    table = pa.concat_tables([pq.read_table(file) for file in sorted(folder.glob("*/*.parquet"))])
    table = table.select([*NUMBERS, *CATEGORIES]).combine_chunks()
    made = []
    for start in range(0, table.num_rows, ROWS):
        columns = []
        for name in table.column_names:
            values = table[name].slice(start, ROWS).combine_chunks()
            values = values.cast(pa.float32()) if name in NUMBERS else values.cast(pa.large_binary())
            columns.append(pa.LargeListArray.from_arrays(pa.array(range(len(values) + 1), pa.int64()), values))
        made.append(pa.record_batch(columns, names=table.column_names))
    return made


def run(rows: list[pa.RecordBatch], out: Path) -> None:
    """Analyse, transform and write TFRecords; reading is not counted."""
    import apache_beam as beam
    import tensorflow_transform.beam as tft_beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.protobuf.text_format import Parse
    from tensorflow_metadata.proto.v0.schema_pb2 import TensorRepresentation
    from tensorflow_transform.beam.tft_beam_io import transform_fn_io
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder
    from tfx_bsl.public.tfxio import TensorAdapterConfig

    kinds = {
        n: Parse(f'dense_tensor {{ column_name: "{n}" shape {{}} }}', TensorRepresentation())
        for n in rows[0].schema.names
    }
    config = TensorAdapterConfig(rows[0].schema, kinds)
    with (
        beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline,
        tft_beam.Context(str(out / "temp")),
    ):
        raw = (pipeline | beam.Create(rows), config)
        (data, _), function = raw | tft_beam.AnalyzeAndTransformDataset(preprocess, output_record_batches=True)
        encoder = RecordBatchToExamplesEncoder()
        data | beam.FlatMap(lambda pair: encoder.encode(pair[0])) | beam.io.WriteToTFRecord(str(out / "rows"))
        function | transform_fn_io.WriteTransformFn(str(out / "function"))


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """A few rows first: what is done once a process is not counted."""
    rows = batches(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as scratch:
        run(rows[:1], Path(scratch) / "first")
        start = spent()
        run(rows, Path(scratch) / "second")
        print(spent() - start)


if __name__ == "__main__":
    main()
