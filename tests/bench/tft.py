"""TensorFlow Transform on Beam, in an environment of its own: CPU seconds to analyse, transform and write Parquet rows.

Usage: python tft.py FILE NUMBERS CATEGORIES    (lists of columns, separated by commas; prints JSON)
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

import apache_beam as beam
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder
from tfx_bsl.tfxio.parquet_tfxio import ParquetTFXIO


def main(file: str, numbers: list[str], categories: list[str]) -> None:
    """Run what TFX's Transform runs: one pass of analysis, one of transformation, examples written as TFRecord."""
    kinds = {**dict.fromkeys(numbers, "FLOAT"), **dict.fromkeys(categories, "BYTES")}
    text = " ".join(f'feature {{ name: "{name}" type: {kind} }}' for name, kind in kinds.items())
    schema = text_format.Parse(text, schema_pb2.Schema())

    def preprocess(inputs: dict) -> dict:
        made = {}
        for name in numbers:
            value = tft.sparse_tensor_to_dense_with_shape(inputs[name], [None, 1], default_value=0.0)[:, 0]
            made[name] = tft.scale_to_z_score(value)
        for name in categories:
            value = tft.sparse_tensor_to_dense_with_shape(inputs[name], [None, 1], default_value="")[:, 0]
            made[name] = tft.compute_and_apply_vocabulary(value, num_oov_buckets=1, vocab_filename=name)
        return made

    source = ParquetTFXIO(file, schema=schema, column_names=list(kinds))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    start = usage.ru_utime + usage.ru_stime
    with tempfile.TemporaryDirectory() as scratch:
        runner = PipelineOptions(["--runner=FnApiRunner"])
        with beam.Pipeline(options=runner) as pipeline, tft_beam.Context(temp_dir=scratch):
            batches = pipeline | source.BeamSource()
            (data, _), function = (batches, source.TensorAdapterConfig()) | tft_beam.AnalyzeAndTransformDataset(
                preprocess, output_record_batches=True
            )
            coder = RecordBatchToExamplesEncoder()
            _ = (
                data
                | beam.FlatMapTuple(lambda batch, _: coder.encode(batch))
                | beam.io.WriteToTFRecord(f"{scratch}/out")
            )
            _ = function | tft_beam.WriteTransformFn(f"{scratch}/graph")
        written = sum(path.stat().st_size for path in Path(scratch).glob("out*"))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": usage.ru_utime + usage.ru_stime - start, "bytes": written}))


if __name__ == "__main__":
    main(sys.argv[1], *(names.split(",") for names in sys.argv[2:4]))
