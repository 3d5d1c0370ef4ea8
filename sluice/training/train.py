"""Train a model and export it with its preprocessing inside."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice import digest
from sluice.features.preprocessing import IDS, NUMBERS, Plan
from sluice.features.raw import arrays
from sluice.features.transform import LABEL, TRAIN
from sluice.features.transformed import Transformed
from sluice.models import saved_model
from sluice.models.manifest import ModelManifest
from sluice.progress import progress
from sluice.training import devices, warm, warmup
from sluice.training.checkpoints import Checkpoints
from sluice.training.contract import Job
from sluice.training.golden import with_edges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from sluice.examples.dataset import Examples
    from sluice.training.contract import Curve, Fitted
    from sluice.training.devices import Devices
    from sluice.training.spec import Label, Trainer

GOLDEN_FILE, GOLDEN_ROWS = "golden.parquet", 200
LOOKED_AT = 20_000
"""Raw rows by which a warm start learns how the champion numbered values."""
PREDICTION = "prediction"
EVAL = "eval"
PLACES: dict[str, Any] = {"code": {"module"}, "checkpoints": True, "checkpoint_steps": True}
"""Parts of the trainer that say where things are, and decide no weight."""


def train(
    *, transformed: Path, preprocessing: Path, examples: Examples, trainer: Trainer, label: Label, model_out: Path,
    golden_out: Path, report_out: Path, champion: Path | None = None,
) -> tuple[ModelManifest, Curve | None] | None:  # fmt: skip
    """Train on transformed examples.

    Args:
        transformed: folder that `transform` wrote.
        preprocessing: folder of the preprocessing that made it.
        examples: the raw examples, of which golden requests are drawn.
        trainer: what is trained, and how.
        label: what is to be predicted.
        model_out: folder for the model artifact, which takes raw features, and ``model.json``.
        golden_out: folder for ``golden.parquet``: raw rows with the trained model's own predictions.
        report_out: HTML file of the learning curve.
        champion: folder of the champion's model.

    Returns:
        The model's manifest, and its learning curve if it has one; None where another worker writes them.

    Raises:
        SluiceError: the loss is not a number; the transformed examples are of other examples or of another preprocessing;
            or an array was changed after it was written.
    """
    import keras
    import tensorflow as tf

    from sluice.report.training import write

    where = devices.find()
    keras.utils.set_random_seed(trainer.seed)
    tf.config.experimental.enable_op_determinism()
    facts = Transformed.load(transformed)
    facts.check(transformed, examples, preprocessing)
    job = _job(facts, transformed, preprocessing, examples, trainer, champion, where)
    fitted = TRAINERS[trainer.name](job)
    if where.worker:
        return None
    progress("exporting")
    manifest = _manifest(fitted, job, facts.lineage(transformed), examples, label)
    _export(fitted, manifest, job, examples, model_out, golden_out)
    write(report_out, manifest, fitted.curve)
    Checkpoints(trainer.checkpoints, job.key, trainer.checkpoint_steps).clear()
    return manifest, fitted.curve


def _keras(job: Job) -> Fitted:
    from sluice.training import keras

    return keras.train(job)


def _sklearn(job: Job) -> Fitted:
    from sluice.training import sklearn

    return sklearn.train(job)


def _own(job: Job) -> Fitted:
    from sluice.training import own

    return own.train(job)


TRAINERS: dict[str, Callable[[Job], Fitted]] = {
    "wide_and_deep": _keras, "mlp": _keras, "linear": _keras, "sklearn": _sklearn, "own": _own,
}  # fmt: skip


def _job(
    facts: Transformed, transformed: Path, preprocessing: Path, examples: Examples, trainer: Trainer,
    champion: Path | None, where: Devices,
) -> Job:  # fmt: skip
    plan, taken = Plan.load(preprocessing), champion if trainer.warm_start else None
    if trainer.warm_start and taken is None:
        progress("no warm start: there is no champion")
    made_of = {
        "examples": facts.examples, "preprocessing": digest.of_tree(preprocessing),
        "trainer": trainer.model_dump(mode="json", exclude=PLACES), "libraries": _libraries("tensorflow-cpu", "tensorflow", "keras"),
        "champion": digest.of_tree(taken) if taken else "",
    }  # fmt: skip
    if not trainer.code.sha256:
        made_of["module"] = trainer.code.module
    return Job(
        plan=plan, task=facts.task, classes=facts.classes, columns=_columns(transformed / TRAIN), trainer=trainer,
        key=digest.of_json(made_of), preprocessing=preprocessing, champion=taken,
        examples=arrays(rows_of(examples, TRAIN, list(plan.raw), LOOKED_AT), plan.raw) if taken else {},
        devices=where,
    )  # fmt: skip


def _export(
    fitted: Fitted, manifest: ModelManifest, job: Job, examples: Examples, model_out: Path, golden_out: Path
) -> None:
    """Write the model artifact, and golden requests with the answers of the model in memory."""
    model_out.mkdir(parents=True, exist_ok=True)
    rows = with_edges(rows_of(examples, EVAL, list(job.plan.raw), GOLDEN_ROWS))
    raw = arrays(rows, job.plan.raw)
    fitted.export(model_out)
    if fitted.flavor == "tensorflow":
        warmup.write(model_out, manifest.label, raw)
    manifest.save(model_out)
    _save_golden(rows, fitted.predict(_transformed(job.preprocessing, raw)), golden_out)


def _columns(folder: Path) -> dict[str, np.ndarray]:
    """The split's arrays, mapped into memory: inputs first, the label last."""
    files = [folder / f"{name}.npy" for name in (NUMBERS, IDS, LABEL)]
    return {file.stem: np.load(file, mmap_mode="r") for file in files if file.exists()}


def _manifest(fitted: Fitted, job: Job, lineage: dict[str, Any], examples: Examples, label: Label) -> ModelManifest:
    training = {
        **job.trainer.model_dump(mode="json", exclude=PLACES), "spans": examples.manifest.spans,
        "rows": len(job.columns[LABEL]), **lineage, "preprocessing": digest.of_tree(job.preprocessing),
        **warm.inputs(job),
    }  # fmt: skip
    if (curve := fitted.curve) and curve.loss:
        training |= {
            "loss": round(curve.loss[-1], 6), "steps_trained": curve.steps[-1], "step_kept": curve.kept, "notes": curve.notes,
        }  # fmt: skip
    return ModelManifest(
        flavor=fitted.flavor, task=job.task, label=label.column, classes=job.classes, features=job.plan.raw,
        training=training, libraries=_libraries(*fitted.libraries),
    )  # fmt: skip


def rows_of(examples: Examples, split: str, columns: Sequence[str], count: int) -> pa.Table:
    """At most so many rows of a split, evenly spread, in order; memory is bounded by the batch."""
    import pyarrow as pa

    total = examples.manifest.splits[split].rows if split in examples.manifest.splits else 0
    wanted, start, parts = np.unique(np.linspace(0, max(total - 1, 0), count).astype(np.int64)), 0, []
    for batch in examples.batches(split, columns):
        here = wanted[(wanted >= start) & (wanted < start + batch.num_rows)] - start
        parts.append(pa.Table.from_batches([batch]).take(pa.array(here)))
        start += batch.num_rows
    return pa.concat_tables(parts)


def _transformed(preprocessing: Path, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import tensorflow as tf

    made = tf.saved_model.load(str(preprocessing))
    tensors = saved_model.by_name(made)({name: tf.constant(column) for name, column in raw.items()})
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _save_golden(rows: pa.Table, answers: np.ndarray, out: Path) -> None:
    """Raw rows with the answers of the model in memory (not of its export) as the last column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out.mkdir(parents=True, exist_ok=True)
    name = PREDICTION
    while name in rows.column_names:  # a feature may be called so
        name += "_"
    pq.write_table(rows.append_column(name, pa.array(answers.tolist())), out / GOLDEN_FILE)


def _libraries(*names: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
