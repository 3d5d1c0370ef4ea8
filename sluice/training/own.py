"""The trainer ``own``: what the user's module builds, or fits."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sluice import modules
from sluice.config.base import whole_numbers
from sluice.errors import SluiceError, first_line
from sluice.training.networks import inputs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.training.contract import Fitted, Job


def train(job: Job) -> Fitted:
    """Train what the user's module makes.

    ``build(inputs, hyperparameters)`` returns a Keras network (a `keras.Model`, or the output of one) that our loop
    trains, or an estimator of scikit-learn. ``fit(job, hyperparameters)`` returns one that it has trained itself: a
    `keras.Model` from columns to logits (or to the label's value), or an estimator over the table of columns. A
    ``build`` that has a parameter ``job`` is given it: the number of outputs, the classes, the columns' names.

    Raises:
        SluiceError: the module has neither function or both, or what it made is not a model for this task.
        UserCodeError: it raised, there or while what it made was trained.
    """
    code = job.trainer.code
    module = modules.load(code.module, code.sha256)
    has = [name for name in ("build", "fit") if hasattr(module, name)]
    if len(has) != 1:
        raise SluiceError(f"the module has {'both build and fit' if has else 'neither build nor fit'}", where=code.module,
                          remedy="define build(inputs, hyperparameters) or fit(job, hyperparameters)")  # fmt: skip
    with modules.blamed(module):
        return _train(modules.function(module, has[0]), has[0] == "fit", job)


def _train(function: Callable[..., Any], fits: bool, job: Job) -> Fitted:
    import keras

    settings = whole_numbers(job.trainer.hyperparameters)
    more = {"job": job} if not fits and "job" in inspect.signature(function).parameters else {}
    inputs = inputs_of(job.plan)
    made = function(job if fits else dict(inputs), settings, **more)
    if isinstance(made, keras.Model | keras.KerasTensor):
        from sluice.training.keras import FittedNetwork, fit

        if fits:
            return FittedNetwork(_network(made, inputs, job), job)

        def build() -> Any:  # anew: on the devices, and in the precision, of the moment
            keras.utils.set_random_seed(job.trainer.seed)  # whatever was drawn before, the same weights
            inputs = inputs_of(job.plan)
            return _network(function(dict(inputs), settings, **more), inputs, job)

        return fit(build, job)
    if not hasattr(made, "predict"):
        raise SluiceError(f"{'fit' if fits else 'build'} gave {type(made).__name__}, which is no model",
                          where=job.trainer.code.module, remedy="return a keras.Model, or an estimator of scikit-learn")  # fmt: skip
    from sluice.training import sklearn

    try:
        job.trainer.no_loop(f"an estimator ({type(made).__name__})")
    except ValueError as error:
        raise SluiceError(str(error), where="trainer") from None
    return sklearn.fitted(made, job) if fits else sklearn.fit(made, job)


def _network(made: Any, inputs: dict[str, Any], job: Job) -> Any:
    """A network from all columns to as many numbers as the task needs, whichever of them the user's takes, and how.

    Raises:
        SluiceError: it takes others, or gives another number.
    """
    import keras

    where = job.trainer.code.module
    if isinstance(made, keras.Model):
        taken = getattr(made, "input", None) if made.built else None  # a model that is a class of its own names none
        flat = keras.tree.flatten(taken) if taken is not None else []
        if unknown := [tensor.name for tensor in flat if tensor.name not in inputs]:
            raise SluiceError(f"the network takes {unknown[0]!r}, which is not among the inputs", where=where,
                              remedy=f"name its inputs: {', '.join(inputs)}")  # fmt: skip
        try:
            made = made(keras.tree.map_structure(lambda tensor: inputs[tensor.name], taken) if flat else dict(inputs))
        except Exception as error:
            raise SluiceError(f"the network does not take the inputs: {first_line(error)}", where=where,
                              remedy=f"build it of the tensors that `inputs` holds by name: {', '.join(inputs)}") from error  # fmt: skip
    shape = tuple(getattr(made, "shape", ()))  # none of several outputs
    if shape != (None, job.outputs):
        raise SluiceError(f"the network's output has the shape {shape}, and the task needs (None, {job.outputs})", where=where,
                          remedy="give logits, one a class; one for two classes and for a value")  # fmt: skip
    return keras.Model(dict(inputs), made)
