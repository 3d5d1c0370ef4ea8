"""Evaluate: score the challenger and the champion on the same rows, measure, judge, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice import digest
from sluice.errors import SluiceError
from sluice.evaluation.evidence import CHALLENGER, CHAMPION, Slices, gather
from sluice.evaluation.metrics import Rows
from sluice.features.labels import encode
from sluice.gates.model.evidence import OVERALL
from sluice.gates.model.judge import judge
from sluice.models import adapter
from sluice.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from sluice.examples.dataset import Examples
    from sluice.gates.model.policy import ModelPolicy
    from sluice.gates.verdict import Verdict
    from sluice.models.manifest import ModelManifest

MAX_SLICES = 1000


def evaluate(
    examples: Examples, *, model: Path, champion: Path | None, champion_version: int | None, policy: ModelPolicy,
    evaluation_out: Path, report_out: Path, split: str = "eval",
) -> Verdict:  # fmt: skip
    """Judge a challenger.

    Args:
        examples: raw examples; their `split` is scored.
        model: folder of the challenger.
        champion: folder of the champion; None where there is none.
        champion_version: its version.
        policy: the rules.
        evaluation_out: folder for the predictions and for TFMA's EvalConfig and MetricsForSlice.
        report_out: HTML file to write.
        split: what is scored.

    Raises:
        SluiceError: a column that the policy names is not there, or the champion predicts something else.
    """
    from sluice.evaluation import tfma
    from sluice.report.model import write

    challenger = adapter.load(model)
    manifest = challenger.manifest
    predictors = {CHALLENGER: challenger}
    identical = champion is not None and digest.of_tree(champion) == digest.of_tree(model)
    if champion is not None:
        predictors[CHAMPION] = challenger if identical else adapter.load(champion)
        _comparable(manifest, predictors[CHAMPION].manifest)
    predictions, table = _score(predictors, examples, split, _columns(policy, manifest, examples))
    label = encode(
        table.column(manifest.label), manifest.task, manifest.classes, f"label {manifest.label} in {split}"
    ).astype(np.float64)
    models = {name: Rows(label, values) for name, values in predictions.items()}
    slices = _slices(table, policy)
    progress(f"measuring {len(slices.rows):,} slices, {policy.resamples:,} resamples")
    groups = _codes(table, policy.group) if policy.group else None
    evidence = gather(models, slices, policy, manifest.task, champion=champion_version if champion else None,
                      identical=identical, groups=groups)  # fmt: skip
    tfma.save(evaluation_out, evidence, manifest, policy)
    _save_predictions(evaluation_out, table, predictions)
    subjects = {"model": digest.of_tree(model), "examples": examples.manifest.digest}
    verdict = judge(evidence, policy, subjects=subjects)
    write(report_out, verdict, evidence, models)
    return verdict


def _comparable(challenger: ModelManifest, champion: ModelManifest) -> None:
    for what in ("task", "label", "classes"):
        ours, theirs = getattr(challenger, what), getattr(champion, what)
        if ours != theirs:
            raise SluiceError(f"the challenger's {what} is {ours}, the champion's {theirs}: they cannot be compared", where="evaluate",
                              remedy="start a new ledger for a new question, or use the champion's label")  # fmt: skip


def _columns(policy: ModelPolicy, manifest: ModelManifest, examples: Examples) -> list[str]:
    """The columns that are kept beside the predictions: label, slice columns, group."""
    named = [
        manifest.label,
        *(column for group in policy.sliced() for column in group),
        *([policy.group] if policy.group else []),
    ]
    if absent := [name for name in named if name not in examples.manifest.columns]:
        raise SluiceError(f"{absent[0]!r} is not a column of the examples", where="policies.model",
                          remedy=f"columns: {', '.join(examples.manifest.columns)}")  # fmt: skip
    return list(dict.fromkeys(named))


def _score(
    predictors: dict[str, adapter.Predictor], examples: Examples, split: str, kept: list[str]
) -> tuple[dict[str, np.ndarray], pa.Table]:
    """Predictions of every model, made once, and the kept columns of the same rows."""
    import pyarrow as pa

    made: dict[str, list[np.ndarray]] = {name: [] for name in predictors}
    batches = []
    for batch in examples.batches(split):
        for name, predictor in predictors.items():
            made[name].append(predictor.predict(batch))
        batches.append(pa.RecordBatch.from_arrays([batch.column(batch.schema.get_field_index(c)) for c in kept], kept))
        progress(f"scored {sum(b.num_rows for b in batches):,} rows")
    return {name: np.concatenate(parts) for name, parts in made.items()}, pa.Table.from_batches(batches)


def _slices(table: pa.Table, policy: ModelPolicy) -> Slices:
    """Every slice of the policy's column groups, by name, e.g. ``carrier=AA, origin=JFK``."""
    rows = {OVERALL: np.arange(table.num_rows)}
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    for group in policy.sliced():
        columns = [_texts(table, name) for name in group]
        keys = [
            ", ".join(f"{name}={value}" for name, value in zip(group, values, strict=True))
            for values in zip(*columns, strict=True)
        ]
        names, codes = np.unique(np.asarray(keys, object), return_inverse=True)
        if len(names) > MAX_SLICES:
            raise SluiceError(f"{' x '.join(group)} has {len(names):,} slices", where="policies.model.slices",
                              remedy=f"at most {MAX_SLICES:,} can be judged: name columns with fewer values")  # fmt: skip
        order = np.argsort(codes, kind="stable")
        for name, index in zip(names, np.split(order, np.cumsum(np.bincount(codes))[:-1]), strict=True):
            rows[name] = index
        groups[group] = tuple(names)
    return Slices(rows, groups)


def _texts(table: pa.Table, name: str) -> list[str]:
    return ["(missing)" if value is None else str(value) for value in table.column(name).to_pylist()]


def _codes(table: pa.Table, name: str) -> np.ndarray:
    return np.unique(np.asarray(_texts(table, name), object), return_inverse=True)[1]


def _save_predictions(out: Path, table: pa.Table, predictions: dict[str, np.ndarray]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, values in predictions.items():
        table = table.append_column(f"prediction_{name}", pa.array(values.tolist()))
    pq.write_table(table, out / "predictions.parquet")
