"""A training loop whose steps run in the graph, a chunk at a time."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.features.transform import LABEL
from sluice.models.manifest import Task
from sluice.progress import progress
from sluice.training.batches import Cut, order
from sluice.training.contract import Curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.training.checkpoints import Checkpoints
    from sluice.training.devices import Devices
    from sluice.training.spec import Trainer

SHORT = 200
"""Steps below which a training is called short."""
STILL = 0.01
"""Part of the loss by which the last check must have bettered the one before for the loss to be called falling."""
CHUNK = 100
"""Steps that run in the graph before Python looks at the loss."""


@dataclass
class Learner:
    """A network and its optimizer, on the devices there are.

    Attributes:
        model: a `keras.Model` from columns to logits.
        optimizer: a built Keras optimizer.
        loss: from labels and logits to the loss of each example, shape [batch].
        devices: where the steps run.
    """

    model: Any
    optimizer: Any
    loss: Callable[[Any, Any], Any]
    devices: Devices

    def __post_init__(self) -> None:
        import tensorflow as tf

        self.chunk = tf.function(self._chunk, autograph=False, reduce_retracing=True)
        self.look = tf.function(self._look, autograph=False)

    @property
    def variables(self) -> list[Any]:
        """Everything that a step changes."""
        return [*self.model.variables, *self.optimizer.variables]

    def _chunk(self, columns: dict[str, Any], batch_size: Any) -> Any:
        """Losses of the steps, shape [steps], over columns of shape [steps, batch, ...]."""
        import tensorflow as tf

        def step(index: Any, losses: Any) -> Any:
            batch = {name: column[index] for name, column in columns.items()}
            return index + 1, losses.write(index, self._everywhere(batch, batch_size))

        steps = tf.shape(columns[LABEL])[0]
        _, losses = tf.while_loop(
            lambda index, _: index < steps, step, (0, tf.TensorArray(tf.float32, size=steps)), parallel_iterations=1
        )
        return losses.stack()

    def _everywhere(self, batch: dict[str, Any], batch_size: Any) -> Any:
        """One step on all devices; returns the mean loss of the whole batch."""
        import tensorflow as tf

        strategy, replicas = self.devices.strategy, self.devices.replicas
        if strategy is None:
            return self._step(batch, tf.reduce_mean)

        def share(batch: dict[str, Any]) -> Any:
            mine = tf.distribute.get_replica_context().replica_id_in_sync_group % replicas
            part = {name: column[mine::replicas] for name, column in batch.items()} if replicas > 1 else batch
            return self._step(part, lambda losses: tf.reduce_sum(losses) / tf.cast(batch_size, tf.float32))

        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(share, args=(batch,)), axis=None)

    def _step(self, batch: dict[str, Any], mean: Callable[[Any], Any]) -> Any:
        import tensorflow as tf

        inputs = {name: column for name, column in batch.items() if name != LABEL}
        with tf.GradientTape() as tape:
            loss = mean(self.loss(batch[LABEL], self.model(inputs, training=True)))
            total = loss
            if extra := self.model.losses:  # regularisation, of the user's own layers
                total += tf.add_n(extra) / (self.devices.workers * self.devices.replicas)
            total = self.optimizer.scale_loss(total)
        gradients = tape.gradient(total, self.model.trainable_variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def _look(self, columns: dict[str, Any]) -> Any:
        import tensorflow as tf

        inputs = {name: column for name, column in columns.items() if name != LABEL}
        return tf.reduce_mean(self.loss(columns[LABEL], self.model(inputs, training=False)))


@dataclass
class State:
    """Where a training stands, beside its variables.

    Attributes:
        step: steps done.
        curve: the curve so far.
        best: lowest loss on the rows held back.
        waited: checks since then.
        kept: the model's weights at that time; empty where nothing is waited for.
    """

    step: int = 0
    curve: Curve = field(default_factory=Curve)
    best: float = math.inf
    waited: int = 0
    kept: list[np.ndarray] = field(default_factory=list)


def fit(learner: Learner, columns: dict[str, np.ndarray], trainer: Trainer, checkpoints: Checkpoints) -> Curve:
    """Train in place.

    Batches are gathered from the memory-mapped arrays in a seeded order, a chunk of steps at a time; the steps of a
    chunk run as one graph. Every epoch sees every example once, in another order.

    Raises:
        SluiceError: the loss is not a number (says at which step), or there are too few rows to hold some back.
    """
    cut = Cut(len(columns[LABEL]), trainer.validation)
    if trainer.validation and not cut.held:
        raise SluiceError(f"{len(columns[LABEL])} rows are too few to hold back {trainer.validation:.0%}",
                          where="trainer.validation", remedy="give more data, or set it to 0")  # fmt: skip
    held = _gather(columns, cut.looked_at()) if cut.held else None
    total = planned(trainer, cut.rows)
    state = _resumed(learner, checkpoints)
    batches = itertools.islice(order(cut.rows, trainer.batch_size, trainer.seed), state.step, None)
    while state.step < total and not (trainer.patience and state.waited >= trainer.patience):
        before, size = state.step, min(CHUNK, total - state.step)
        rows = cut.trained(np.stack([next(batches) for _ in range(size)]))
        mine = rows[:, learner.devices.worker :: learner.devices.workers]
        losses = learner.chunk(_gather(columns, mine), rows.shape[1]).numpy()
        _numbers(losses, before)
        state.step += size
        state.curve.steps.append(state.step)
        state.curve.loss.append(float(losses.mean()))
        seen = f"step {state.step:,} of {total:,}, loss {state.curve.loss[-1]:.4f}"
        if held is not None:
            seen += f", {_check(learner, held, state, trainer.patience):.4f} on rows held back"
        progress(seen)
        if checkpoints.due(before, state.step):
            _save(learner, state, checkpoints)
    kept = state.step
    if state.kept:
        learner.model.set_weights(state.kept)
        kept = state.curve.steps[int(np.argmin(state.curve.validation))]
        progress(f"kept the weights of step {kept:,}")
    curve = replace(state.curve, kept=kept)
    curve = replace(curve, notes=notes(curve, total))
    for note in curve.notes:
        progress(note)
    return curve


def planned(trainer: Trainer, rows: int) -> int:
    """Steps of a training that does not stop early."""
    passes = math.ceil(trainer.epochs * rows / trainer.batch_size)
    return min(trainer.steps, max(trainer.min_steps, passes))


def notes(curve: Curve, total: int) -> list[str]:
    """What is worth knowing of a training that has ended.

    Args:
        curve: its curve, with the step whose weights were kept.
        total: steps that were planned.
    """
    done, held = curve.steps[-1], curve.validation
    told = []
    if done < total:
        told.append(
            f"the training stopped early, after {done:,} of {total:,} steps: the loss on rows held back was lowest at step {curve.kept:,}"
        )
    if total < SHORT:
        told.append(f"the training was short: {total:,} steps; raise trainer.steps and trainer.min_steps")
    if len(held) > 1 and done == total and min(held) == held[-1] < (1 - STILL) * held[-2]:
        told.append(
            f"the loss on rows held back was still falling at the last step, {done:,}: raise trainer.steps or trainer.epochs"
        )
    return told


def _gather(columns: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, Any]:
    import tensorflow as tf

    return {name: tf.constant(column[rows]) for name, column in columns.items()}


def _numbers(losses: np.ndarray, before: int) -> None:
    if not np.isfinite(losses).all():
        at = before + int(np.argmax(~np.isfinite(losses))) + 1
        raise SluiceError(f"the loss is not a number at step {at}", where="trainer",
                          remedy="lower trainer.learning_rate, or look for extreme values in the data report")  # fmt: skip


def _check(learner: Learner, held: dict[str, Any], state: State, patience: int) -> float:
    """Look at the rows held back; returns the loss there."""
    loss = float(learner.look(held).numpy())
    _numbers(np.array([loss]), state.step - 1)
    state.curve.validation.append(loss)
    if patience:
        state.waited += 1
        if loss < state.best:
            state.best, state.waited, state.kept = loss, 0, learner.model.get_weights()
    return loss


def _save(learner: Learner, state: State, checkpoints: Checkpoints) -> None:
    plain = {"curve": asdict(state.curve), "best": state.best if state.kept else None, "waited": state.waited}
    arrays = [np.asarray(variable.numpy()) for variable in learner.variables]
    checkpoints.save(state.step, [*arrays, *state.kept], plain)


def _resumed(learner: Learner, checkpoints: Checkpoints) -> State:
    """Go on where the same training left off, if it did."""
    found = checkpoints.latest()
    if found is None:
        return State()
    variables, plain = learner.variables, found.state
    for variable, value in zip(variables, found.arrays, strict=False):
        variable.assign(value)
    progress(f"going on from the checkpoint at step {plain['step']:,}")
    best = math.inf if plain["best"] is None else plain["best"]
    return State(plain["step"], Curve(**plain["curve"]), best, plain["waited"], found.arrays[len(variables) :])


def loss_of(
    task: Task, weights: np.ndarray | None, scale: tuple[float, float] = (0.0, 1.0)
) -> Callable[[Any, Any], Any]:
    """The loss of each example, float32 of shape [batch], times the weight of its class.

    Args:
        task: what is predicted.
        weights: of the classes, shape [classes]; None where all weigh the same.
        scale: mean and deviation by which a regression's label is standardised.
    """
    import tensorflow as tf

    def plain(label: Any, output: Any) -> Any:
        output = tf.cast(output, tf.float32)
        if task is Task.BINARY:
            return tf.nn.sigmoid_cross_entropy_with_logits(label, output[:, 0])
        if task is Task.MULTICLASS:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(label, tf.int32), output)
        return tf.square((label - scale[0]) / scale[1] - output[:, 0])

    if weights is None:
        return plain
    return lambda label, output: plain(label, output) * tf.gather(weights, tf.cast(label, tf.int32))
