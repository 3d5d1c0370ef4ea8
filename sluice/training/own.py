"""The trainer ``own``: what the user's module builds, or fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice import modules
from sluice.errors import SluiceError
from sluice.training.networks import inputs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.training.contract import Fitted, Job


class Inputs(dict[str, Any]):
    """What ``build(inputs, hyperparameters)`` is given: symbolic Keras inputs ``numbers`` and ``ids``, by name.

    Attributes:
        plan: names, sizes and embedding sizes of the columns.
        task: what is to be predicted.
        classes: the label's values as text.
        outputs: how many numbers the network has to give: a logit a class, one for two classes, or the value.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(inputs_of(job.plan))
        self.plan, self.task, self.classes, self.outputs = job.plan, job.task, job.classes, job.outputs


def train(job: Job) -> Fitted:
    """Train what the user's module makes.

    ``build`` returns a Keras network (a `keras.Model`, or the output of one) that our loop trains, or an estimator of
    scikit-learn. ``fit(data, hyperparameters)`` returns one that it has trained itself: a `keras.Model` from columns
    to logits (or to the label's value), or an estimator over the table of columns.

    Raises:
        SluiceError: the module has neither function or both, or what it made is not a model for this task.
        UserCodeError: it raised.
    """
    import keras

    code = job.trainer.code
    module = modules.load(code.module, code.sha256)
    has = [name for name in ("build", "fit") if hasattr(module, name)]
    if len(has) != 1:
        raise SluiceError(f"the module has {'both build and fit' if has else 'neither build nor fit'}", where=code.module,
                          remedy="define build(inputs, hyperparameters) or fit(data, hyperparameters)")  # fmt: skip
    make, settings = modules.function(module, has[0]), _whole(job.trainer.hyperparameters)
    made = make(Inputs(job) if has[0] == "build" else job, settings)
    if isinstance(made, keras.Model | keras.KerasTensor):
        from sluice.training.keras import FittedNetwork, fit

        if has[0] == "fit":
            return FittedNetwork(_checked(made, job), job)
        return fit(_rebuild(make, settings, job), job)
    if not hasattr(made, "predict"):
        raise SluiceError(f"{has[0]} gave {type(made).__name__}, which is no model", where=code.module,
                          remedy="return a keras.Model, or an estimator of scikit-learn")  # fmt: skip
    from sluice.training import sklearn

    try:
        job.trainer.no_loop(f"an estimator ({type(made).__name__})")
    except ValueError as error:
        raise SluiceError(str(error), where="trainer") from None
    return sklearn.FittedEstimator(made, job) if has[0] == "fit" else sklearn.fit(made, job)


def _rebuild(make: Callable[..., Any], settings: dict[str, Any], job: Job) -> Callable[[], Any]:
    """Build the network anew: on the devices, and in the precision, of the moment."""
    import keras

    def build() -> Any:
        keras.utils.set_random_seed(job.trainer.seed)  # whatever was drawn before, the same weights
        inputs = Inputs(job)
        made = make(inputs, settings)
        return _checked(made if isinstance(made, keras.Model) else keras.Model(dict(inputs), made), job)

    return build


def _checked(network: Any, job: Job) -> Any:
    """A network that gives as many numbers as the task needs.

    Raises:
        SluiceError: it does not.
    """
    shape = tuple(network.output_shape) if hasattr(network, "output_shape") else ()
    if shape != (None, job.outputs):
        raise SluiceError(f"the network's output has the shape {shape}, and the task needs (None, {job.outputs})",
                          where=job.trainer.code.module, remedy="give logits, one a class; one for two classes and for a value")  # fmt: skip
    return network


def _whole(value: Any) -> Any:
    """Whole numbers as integers, however deep: KFP's structs know one kind of number."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
