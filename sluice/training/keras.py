"""The trainers on Keras: build a network, run the loop, export it as one SavedModel with its preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.features.transform import LABEL
from sluice.models import saved_model
from sluice.models.manifest import Task
from sluice.models.tensorflow import OUTPUT
from sluice.training import devices, loop, warm
from sluice.training.batches import moments
from sluice.training.checkpoints import Checkpoints
from sluice.training.networks import network
from sluice.training.weights import by_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sluice.training.contract import Curve, Job


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network; see `sluice.training.contract.Fitted`.

    Attributes:
        network: a `keras.Model` from columns to logits, or to a regression's label in units of `scale`.
        scale: mean and standard deviation of a regression's label; (0, 1) otherwise.
    """

    network: Any
    job: Job
    scale: tuple[float, float] = (0.0, 1.0)
    curve: Curve | None = None
    flavor: str = "tensorflow"
    libraries: tuple[str, ...] = ("tensorflow-cpu", "tensorflow", "keras", "numpy")

    def predict(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """See `sluice.training.contract.Fitted.predict`."""
        import tensorflow as tf

        given = {name: tf.constant(column) for name, column in columns.items() if name != LABEL}
        return np.asarray(self._answer(given).numpy(), np.float64)

    def _answer(self, columns: dict[str, Any]) -> Any:
        import tensorflow as tf

        output = self.network(columns, training=False)
        if self.job.task is Task.BINARY:
            return tf.sigmoid(output[:, 0])
        if self.job.task is Task.MULTICLASS:
            return tf.nn.softmax(output)
        return output[:, 0] * self.scale[1] + self.scale[0]

    def export(self, out: Path) -> None:
        """Write a SavedModel: everything is in the graph.

        What is tracked is TensorFlow's own variables and tables, not the Keras model: of a Keras variable TensorFlow saves
        a copy (`keras.src.backend.tensorflow.core.Variable._export_to_saved_model_graph`), which a session restores instead
        of the one that the graph reads, and TensorFlow Serving could not answer.
        """
        import tensorflow as tf

        module = tf.Module()
        module.preprocessing = tf.saved_model.load(str(self.job.preprocessing))
        transform = saved_model.by_name(module.preprocessing)

        def serve(features: dict[str, Any]) -> dict[str, Any]:
            return {OUTPUT: self._answer(transform(features))}

        graph = tf.function(serve, input_signature=[saved_model.tensor_specs(self.job.plan.raw)], autograph=False)
        module.weights = self._in_order(graph.get_concrete_function().graph.variables)
        resource = tf.saved_model.experimental.TrackableResource
        module.tables = [
            each for each in tf.train.TrackableView(self.network).descendants() if isinstance(each, resource)
        ]
        saved_model.save(module, out, graph, self.job.plan.raw)

    def _in_order(self, variables: Iterable[Any]) -> list[Any]:
        """Variables in the network's order, which a graph does not keep: the same weights give the same bytes."""
        order = {id(variable.value): position for position, variable in enumerate(self.network.variables)}
        return sorted(variables, key=lambda variable: (order.get(id(variable), len(order)), variable.name))


def train(job: Job) -> FittedNetwork:
    """Train the network that the trainer names.

    Raises:
        SluiceError: see `fit`.
    """
    return fit(lambda: network(job.plan, job.outputs, job.trainer), job)


def fit(build: Callable[[], Any], job: Job) -> FittedNetwork:
    """Train what `build` makes: a `keras.Model` from columns to logits (or the standardised label of a regression).

    Raises:
        SluiceError: the loss is not a number, class weights or devices do not fit the task.
    """
    import keras

    trainer, where = job.trainer, job.devices
    label = job.columns[LABEL]
    scale = moments(label) if job.task is Task.REGRESSION else (0.0, 1.0)
    kind = devices.precision(trainer.precision, where)
    with where.scope(), devices.policy(kind):
        model = build()
        warm.start(model, job)
        optimizer = keras.optimizers.Adam(trainer.learning_rate)
        if kind == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(model.trainable_variables)
    loss = loop.loss_of(job.task, by_class(trainer.class_weights, job.classes, label), scale)
    checkpoints = Checkpoints(trainer.checkpoints, job.key, trainer.checkpoint_steps, where.worker == 0)
    with where.scope():
        curve = loop.fit(loop.Learner(model, optimizer, loss, where), job.columns, trainer, checkpoints)
    if kind != "float32" or where.strategy:  # what is exported is plain: one device, float32
        trained, model = model, build()
        model.set_weights(trained.get_weights())
    return FittedNetwork(model, job, scale, curve)
