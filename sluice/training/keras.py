"""Keras models over preprocessed inputs, and a training loop that runs in the graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.features.preprocessing import IDS, NUMBERS, Plan
from sluice.features.transform import LABEL
from sluice.models.manifest import Task
from sluice.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.training.spec import Trainer

CHUNK = 100
"""Steps that run in the graph before Python looks at the loss."""


@dataclass(frozen=True)
class Curve:
    """A learning curve: after so many steps, the mean training loss of the last chunk."""

    steps: list[int]
    loss: list[float]


def network(plan: Plan, task: Task, classes: int, trainer: Trainer) -> Any:
    """A `keras.Model` from ``numbers`` and ``ids`` to logits (or the standardised label of a regression).

    ``linear``: one weight a number and a value. ``mlp``: embeddings and hidden layers. ``wide_and_deep``: the sum of
    both (Cheng et al. 2016).
    """
    import keras
    from keras import layers, ops

    units = classes if task is Task.MULTICLASS else 1
    inputs: dict[str, Any] = {}
    if plan.numbers:
        inputs[NUMBERS] = keras.Input((len(plan.numbers),), name=NUMBERS)
    if plan.ids:
        inputs[IDS] = keras.Input((len(plan.ids),), dtype="int32", name=IDS)

    def embedded(kind: str, sizes: tuple[int, ...]) -> list[Any]:
        return [
            layers.Embedding(rows, size, name=f"{kind}_{name}")(inputs[IDS][:, index])
            for index, (name, rows, size) in enumerate(zip(plan.ids, plan.sizes, sizes, strict=True))
        ]

    outputs = []
    if trainer.name in ("linear", "wide_and_deep"):
        parts = embedded("wide", (units,) * len(plan.ids))
        if plan.numbers:
            parts.append(layers.Dense(units, name="wide")(inputs[NUMBERS]))
        outputs += parts
    if trainer.name in ("mlp", "wide_and_deep"):
        parts = embedded("deep", plan.embeddings) + ([inputs[NUMBERS]] if plan.numbers else [])
        hidden = ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        for index, width in enumerate(trainer.hidden):
            hidden = layers.Dense(width, activation="relu", name=f"hidden_{index}")(hidden)
            if trainer.dropout:
                hidden = layers.Dropout(trainer.dropout, name=f"dropout_{index}")(hidden)
        outputs.append(layers.Dense(units, name="deep")(hidden))
    return keras.Model(inputs, layers.add(outputs) if len(outputs) > 1 else outputs[0], name=trainer.name)


def fit(model: Any, data: dict[str, np.ndarray], task: Task, trainer: Trainer) -> Curve:
    """Train in place.

    Batches are gathered from the memory-mapped arrays in a seeded order, a chunk of steps at a time; the steps of a
    chunk run as one graph. Every epoch sees every example once, in another order.

    Raises:
        SluiceError: the loss is not a number; says at which step.
    """
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(trainer.learning_rate)
    optimizer.build(model.trainable_variables)
    names = list(data)
    loss_of = _loss(task)

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def chunk(*columns: Any) -> Any:
        def step(index: Any, losses: Any) -> Any:
            batch = {name: column[index] for name, column in zip(names, columns, strict=True)}
            label = batch.pop(LABEL)
            with tf.GradientTape() as tape:
                loss = loss_of(label, model(batch, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return index + 1, losses.write(index, loss)

        steps = tf.shape(columns[0])[0]
        _, losses = tf.while_loop(
            lambda index, _: index < steps, step, (0, tf.TensorArray(tf.float32, size=steps)), parallel_iterations=1
        )
        return losses.stack()

    rows_held = len(data[LABEL])
    total = min(trainer.steps, math.ceil(trainer.epochs * rows_held / trainer.batch_size))
    steps, curve, order = 0, Curve([], []), _order(rows_held, trainer)
    while steps < total:
        size = min(CHUNK, total - steps)
        rows = np.stack([next(order) for _ in range(size)])
        losses = chunk(*(tf.constant(column[rows]) for column in data.values())).numpy()
        if not np.isfinite(losses).all():
            at = steps + int(np.argmax(~np.isfinite(losses))) + 1
            raise SluiceError(f"the loss is not a number at step {at}", where="trainer",
                              remedy="lower trainer.learning_rate, or look for extreme values in the data report")  # fmt: skip
        steps += size
        curve.steps.append(steps)
        curve.loss.append(float(losses.mean()))
        progress(f"step {steps:,} of {total:,}, loss {curve.loss[-1]:.4f}")
    return curve


def _order(rows: int, trainer: Trainer) -> Iterator[np.ndarray]:
    """Indices of the next batch, shape [batch]; a seeded permutation an epoch, epochs joined."""
    random = np.random.default_rng(trainer.seed)
    left = np.empty(0, np.int64)
    size = min(trainer.batch_size, rows)
    while True:
        while len(left) < size:
            left = np.concatenate([left, random.permutation(rows)])
        yield left[:size]
        left = left[size:]


def _loss(task: Task) -> Any:
    import tensorflow as tf

    def binary(label: Any, output: Any) -> Any:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(label, output[:, 0]))

    def several(label: Any, output: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(label, tf.int32), output))

    def squared(label: Any, output: Any) -> Any:
        return tf.reduce_mean(tf.square(label - output[:, 0]))

    return {Task.BINARY: binary, Task.MULTICLASS: several, Task.REGRESSION: squared}[task]
