"""Training: our loop beside Keras' own `fit`, our input beside a tf.data pipeline over CSV, memory, and how good it is.

Usage: python -m tests.bench.train    (in the component environment; `make bench` runs it)
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from sluice.stages.runtime import quiet
from sluice.training.spec import Label, Trainer
from tests import made
from tests.training.test_matrix import flown

STEPS, BATCH, TIMES = 500, 64, 5
SIZES = (150_000, 1_500_000, 6_000_000)


def job(folder: Path, trainer: Trainer) -> Any:
    from sluice.features.preprocessing import Plan
    from sluice.models.manifest import Task
    from sluice.training.contract import Job
    from sluice.training.train import _columns

    plan, columns = Plan.load(folder / "preprocessing"), _columns(folder / "transformed" / "train")
    return Job(plan, Task.BINARY, ["0", "1"], columns, trainer, "sha256:0", folder / "preprocessing")


def ours(held: Any) -> None:
    from sluice.training import keras

    keras.train(held)


def plain(held: Any, steps_per_execution: int = 1) -> None:
    import keras

    from sluice.training.networks import network

    model = network(held.plan, 1, held.trainer)
    model.compile(
        keras.optimizers.Adam(held.trainer.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True),
        steps_per_execution=steps_per_execution,
    )  # fmt: skip
    rows = np.random.default_rng(0).permutation(len(held.columns["label"]))[: STEPS * BATCH]
    data = {name: np.asarray(column[rows]) for name, column in held.columns.items()}
    label = data.pop("label")
    model.fit(data, label, batch_size=BATCH, epochs=1, verbose=0)


def one_graph(held: Any) -> None:
    """What is compared with: every step in one graph, over data in memory, and nothing looked at in between."""
    import keras
    import tensorflow as tf

    from sluice.training.networks import network

    model = network(held.plan, 1, held.trainer)
    optimizer = keras.optimizers.Adam(held.trainer.learning_rate)
    optimizer.build(model.trainable_variables)
    rows = np.random.default_rng(0).permutation(len(held.columns["label"]))[: STEPS * BATCH]
    data = {name: tf.constant(column[rows]) for name, column in held.columns.items()}

    @tf.function(autograph=False)
    def every() -> Any:
        def step(index: Any, total: Any) -> Any:
            batch = {name: column[index * BATCH : (index + 1) * BATCH] for name, column in data.items()}
            label = batch.pop("label")
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(label, model(batch, training=True)[:, 0]))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return index + 1, total + loss

        return tf.while_loop(lambda index, _: index < STEPS, step, (0, 0.0), parallel_iterations=1)

    every()


def spent(work: Any) -> float:
    """CPU seconds of all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def loops(folder: Path) -> None:
    """Five rounds of all four, one after the other, so that noise meets all alike."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    held = job(folder, Trainer(steps=STEPS, batch_size=BATCH, epochs=1000))
    ways = {
        "fit": lambda: plain(held),
        "steps_per_execution=50": lambda: plain(held, 50),
        "one graph": lambda: one_graph(held),
        "ours": lambda: ours(held),
    }
    ours(held)  # what is done once a process
    rounds = [{name: spent(way) for name, way in ways.items()} for _ in range(TIMES)]
    median = {name: statistics.median(r[name] for r in rounds) for name in ways}
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in median.items())
    fit, graph = (statistics.median(r["ours"] / r[name] for r in rounds) for name in ("fit", "one graph"))
    print(
        f"{STEPS} steps of {BATCH}, CPU seconds: {told}; ours is {fit:.2f} of fit, and {graph:.2f} of one graph (at most 1.5 is asked)"
    )


def inputs(folder: Path, examples: Any, features: Any) -> None:
    """Examples a CPU second that reach a step, preprocessed: over one epoch, and over ten with transform paid for."""
    import pyarrow.csv
    import tensorflow as tf

    from sluice.features.transform import transform
    from sluice.training.batches import order
    from sluice.training.loop import CHUNK, _gather

    table = examples.table("train")
    pyarrow.csv.write_csv(table, folder / "train.csv")
    size, columns = 256, job(folder, Trainer()).columns
    preprocessing = tf.saved_model.load(str(folder / "preprocessing"))
    layers = preprocessing.signatures["serving_default"]
    kinds = {name: spec.dtype for name, spec in layers.structured_input_signature[1].items()}

    def csv() -> None:
        defaults = [[float("nan")] if kinds[n] is tf.float32 else [""] for n in kinds]
        data = tf.data.experimental.make_csv_dataset(
            str(folder / "train.csv"), size, column_names=table.column_names, select_columns=[*kinds, "late"],
            column_defaults=[dict(zip(kinds, defaults, strict=True)).get(n, [0.0])[0:1] for n in table.column_names if n in {*kinds, "late"}],
            label_name="late", num_epochs=1, shuffle_seed=0,
        )  # fmt: skip
        rows = sum(int(label.shape[0]) for _, label in data.map(lambda raw, label: (layers(**raw), label)).prefetch(2))
        assert rows >= table.num_rows

    def gathered(epochs: int = 1) -> None:
        batches = order(table.num_rows, size, 0)
        for _ in range(epochs * table.num_rows // size // CHUNK + 1):
            _gather(columns, np.stack(list(itertools.islice(batches, CHUNK))))

    def whole() -> None:
        again = folder / "again"
        transform(
            examples, statistics=folder / "statistics", schema=folder / "schema", features=features, label=Label(column="late"),
            preprocessing_out=again / "preprocessing", transformed_out=again / "transformed",
        )  # fmt: skip
        gathered(10)

    gathered(), csv()
    rates = [(table.num_rows / spent(gathered), table.num_rows / spent(csv)) for _ in range(3)]
    mine, theirs = (statistics.median(rate) for rate in zip(*rates, strict=True))
    ten = 10 * table.num_rows / spent(whole)
    print(
        f"input, examples a CPU second: ours {mine:,.0f}, transform and ten epochs {ten:,.0f}, "
        f"tf.data over CSV with the same layers {theirs:,.0f}: {mine / theirs:.0f} and {ten / theirs:.0f} times (2 are asked)"
    )


def grown(folder: Path, rows: int, out: Path) -> None:
    """The transformed examples, repeated to so many rows, written in blocks."""
    target = out / "transformed" / "train"
    target.mkdir(parents=True)
    for file in (folder / "transformed" / "train").glob("*.npy"):
        held = np.load(file, mmap_mode="r")
        array = np.lib.format.open_memmap(
            target / file.name, mode="w+", dtype=held.dtype, shape=(rows, *held.shape[1:])
        )
        for start in range(0, rows, len(held)):
            array[start : start + len(held)] = held[: rows - start]
    (out / "preprocessing").symlink_to(folder / "preprocessing")


def memory(folder: Path) -> None:
    """Print the peak of a training's own memory (what is mapped from files is the page cache's) in MiB."""
    from sluice.training import loop

    peak = 0

    def watch(message: str) -> None:
        nonlocal peak
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        peak = max(peak, int(status["RssAnon"].split()[0]) // 1024)

    loop.progress = watch
    ours(job(folder, Trainer(steps=STEPS, epochs=1000)))
    print(peak)


def better(folder: Path, examples: Any, features: Any) -> None:
    """The default model and logistic regression, on the same split."""
    from sluice.evaluation.evaluate import evaluate
    from sluice.gates.model.policy import ModelPolicy

    logistic = Trainer(
        name="sklearn", estimator="sklearn.linear_model.LogisticRegression", hyperparameters={"max_iter": 300}
    )
    for name, trainer in (("default", Trainer()), ("logistic", logistic)):
        made.trained(folder / name, examples, features, Label(column="late"), trainer)
    policy = ModelPolicy.model_validate({"rules": [{"metric": "auc", "superior_by": 0.0}]})
    verdict, _ = evaluate(
        examples, model=folder / "default" / "model", champion=folder / "logistic" / "model", champion_version=1,
        policy=policy, evaluation_out=folder / "evaluation", report_out=folder / "report.html",
    )  # fmt: skip
    (reason,) = [reason for reason in verdict.reasons if reason.rule == "superior_by"]
    low, high = reason.interval or (0.0, 0.0)
    rows = examples.manifest.splits["eval"].rows
    print(
        f"AUC on {rows:,} flights: default {reason.observed + (reason.baseline or 0):.4f}, logistic regression {reason.baseline:.4f}; "
        f"difference {reason.observed:.4f} (95 % interval {low:.4f} to {high:.4f})"
    )


def main() -> None:
    """Print all of it."""
    quiet()
    if len(sys.argv) > 1:
        memory(Path(sys.argv[1]))
        return
    table, features = flown(range(1, 4))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        examples = made.examples(folder / "examples", table)
        made.trained(folder, examples, features, Label(column="late"), Trainer(steps=1))
        loops(folder)
        inputs(folder, examples, features)
        for rows in SIZES:
            grown(folder, rows, folder / str(rows))
            command = [sys.executable, "-m", "tests.bench.train", folder / str(rows)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            print(f"memory of its own at {rows:,} rows: peak {int(done.stdout):,} MiB")
        better(folder, examples, features)


if __name__ == "__main__":
    main()
