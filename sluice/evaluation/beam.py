"""TFMA on Beam: scoring and metrics where one machine is not enough, and metrics that only TFMA has.

The runner is chosen by Beam's own options, e.g. ``--runner=DataflowRunner``; without any it runs in this process.
Examples and models have to lie where the workers reach them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.evaluation.evidence import CHALLENGER, CHAMPION, TRIVIAL
from sluice.evaluation.metrics import Rows, catalogue, value
from sluice.evaluation.tfma import CLASSES, NAMES, eval_config, keys_of
from sluice.gates.model.evidence import Measured, ModelEvidence, SliceEvidence, slice_name
from sluice.models import adapter
from sluice.models.manifest import ModelManifest
from sluice.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from sluice.examples.dataset import Examples
    from sluice.gates.model.policy import ModelPolicy

IN_PROCESS = ("--runner=FnApiRunner",)


def analyze(examples: Examples, split: str, models: dict[str, Path], policy: ModelPolicy, out: Path) -> None:
    """Score a split with every model and let TFMA measure, on Beam; writes what `tfma.load_eval_result` reads.

    Args:
        examples: raw examples.
        split: what is scored.
        models: ``challenger`` and, if there is one, ``champion``: folders of models of a binary task.
        policy: names metrics and slices; its `tfma` metrics are measured as well.
        out: folder for TFMA's files.
    """
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from apache_beam.options.pipeline_options import PipelineOptions

    manifest = ModelManifest.load(models[CHALLENGER])
    config = eval_config(manifest.label, policy, champion=CHAMPION in models, counts=True)
    columns, keys = [column for group in policy.sliced() for column in group], keys_of(manifest.label, policy)
    progress("TFMA measures on Beam")
    with beam.Pipeline(options=PipelineOptions(list(policy.beam or IN_PROCESS))) as pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create([str(file) for file in examples.files(split)])
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(_batches)
            | "Score" >> beam.ParDo(_scorer({name: str(path) for name, path in models.items()}, columns, keys))
            | "Measure" >> tfma.ExtractEvaluateAndWriteResults(
                eval_config=config, output_path=str(out), extractors=tfma.default_extractors(eval_config=config)
            )
        )  # fmt: skip


def _batches(file: str) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        yield from parquet.iter_batches()


def _scorer(models: dict[str, str], columns: list[str], keys: dict[str, str]) -> Any:
    """A DoFn from raw batches to label, predictions and slice columns, as lists of one value."""
    import apache_beam as beam

    class Score(beam.DoFn):  # type: ignore[misc]
        def setup(self) -> None:
            from pathlib import Path

            self._predictors = {name: adapter.load(Path(path)) for name, path in models.items()}

        def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
            import pyarrow as pa

            from sluice.features.labels import encode

            manifest = self._predictors[CHALLENGER].manifest
            held = batch.column(batch.schema.get_field_index(manifest.label))
            made: dict[str, Any] = {
                keys[manifest.label]: encode(held, manifest.task, manifest.classes, "label").astype(np.float64)
            }
            made |= {
                keys[f"prediction_{name}"]: predictor.predict(batch) for name, predictor in self._predictors.items()
            }
            made |= {name: _text(batch.column(batch.schema.get_field_index(name))) for name in columns}
            offsets = pa.array(np.arange(batch.num_rows + 1, dtype=np.int32))
            lists = [pa.ListArray.from_arrays(offsets, pa.array(values)) for values in made.values()]
            yield pa.RecordBatch.from_arrays(lists, list(made))

    return Score()


def _text(column: pa.Array) -> list[bytes]:
    from sluice.features.labels import as_text

    return [(b"(missing)" if value is None else as_text(value).encode()) for value in column.to_pylist()]


def evidence(out: Path, policy: ModelPolicy, *, champion: int | None) -> ModelEvidence:
    """What TFMA measured, as evidence for the gate: point values, without resamples."""
    import tensorflow_model_analysis as tfma

    names = {ours: NAMES.get(ours, ours) for ours in CLASSES}
    pieces: dict[str, SliceEvidence] = {}
    measured: dict[str, dict[str, dict[str, Measured]]] = {}
    counts: dict[str, tuple[int, float]] = {}
    keys: dict[str, tuple[tuple[str, str], ...]] = {}
    for message in tfma.load_metrics(str(out)):
        key = tuple((k.column, k.bytes_value.decode()) for k in message.slice_key.single_slice_keys)
        piece = slice_name(key)
        keys[piece] = key
        for pair in message.metric_keys_and_values:
            if pair.key.is_diff:
                continue
            model = pair.key.model_name or CHALLENGER
            found = measured.setdefault(piece, {}).setdefault(model, {})
            found[pair.key.name] = Measured(pair.value.double_value.value, np.empty(0))
        ours = measured[piece][CHALLENGER]
        counts[piece] = int(ours["example_count"].value), ours["mean_label"].value
    for piece, models in measured.items():
        rows, share = counts[piece]
        constant = Rows(np.array([0.0, 1.0]), np.full(2, share), np.array([rows * (1 - share), rows * share]))
        metrics = catalogue(policy, "binary")
        kept = {
            model: {ours: found[theirs] for ours, theirs in names.items() if theirs in found}
            for model, found in models.items()
        }
        kept[TRIVIAL] = {name: Measured(value(name, constant, metrics), np.empty(0)) for name in kept[CHALLENGER]}
        pieces[piece] = SliceEvidence(rows, kept[CHALLENGER], kept.get(CHAMPION, {}), kept[TRIVIAL])
    groups = {
        group: tuple(sorted(name for name, key in keys.items() if tuple(column for column, _ in key) == group))
        for group in policy.sliced()
    }
    return ModelEvidence("binary", pieces, groups, champion, keys=keys)
