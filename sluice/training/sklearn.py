"""The trainer ``sklearn``: any estimator of scikit-learn over the preprocessed columns, exported without pickle."""

from __future__ import annotations

import contextlib
import importlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.errors import SluiceError
from sluice.features.preprocessing import IDS
from sluice.features.transform import LABEL
from sluice.models.manifest import Task
from sluice.models.sklearn import ESTIMATOR_FILE, PREPROCESSING, dumped, frame, predictions, save, threads
from sluice.progress import progress
from sluice.training.weights import by_class

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.training.contract import Curve, Job

BOOSTING = "sklearn.ensemble.HistGradientBoosting"
BINS = 255
"""Values that histogram gradient boosting tells apart as categories."""


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted estimator; see `sluice.training.contract.Fitted`."""

    estimator: Any
    job: Job
    flavor: str = "sklearn"
    libraries: tuple[str, ...] = ("scikit-learn", "skops", "tensorflow-cpu", "tensorflow", "pandas", "numpy")
    curve: Curve | None = None

    def predict(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """See `sluice.training.contract.Fitted.predict`."""
        return predictions(self.estimator, frame(columns, self.job.plan))

    def export(self, out: Path) -> None:
        """Write ``estimator.skops`` beside a copy of the preprocessing."""
        save(self.estimator, out / ESTIMATOR_FILE)
        shutil.copytree(self.job.preprocessing, out / PREPROCESSING, dirs_exist_ok=True)


def train(job: Job) -> FittedEstimator:
    """Fit the estimator that the trainer names.

    Raises:
        SluiceError: there is no such estimator, it does not take a hyperparameter, or the data do not suit it.
    """
    return fit(_estimator(job), job)


def fit(estimator: Any, job: Job) -> FittedEstimator:
    """Fit an estimator or pipeline on the table of columns; the label is the class's index, or the value.

    Raises:
        SluiceError: it is of the wrong kind, or scikit-learn refuses it; says why in scikit-learn's words.
    """
    from sklearn.utils._param_validation import InvalidParameterError

    _suits(estimator, job)
    dumped(estimator)  # one that cannot be exported is told before the work, not after it
    label, name = job.columns[LABEL], _name(estimator)
    progress(f"fitting {name} to {len(label):,} rows")
    try:
        with threads(len(label)):
            estimator.fit(
                frame(job.columns, job.plan),
                label.astype(np.float64 if job.task is Task.REGRESSION else np.int64),
                **_weights(estimator, job),
            )
    except (InvalidParameterError, ValueError, TypeError) as error:
        raise SluiceError(f"{name}: {error}", where="trainer",
                          remedy="change trainer.hyperparameters, or choose another estimator") from error  # fmt: skip
    return fitted(estimator, job)


def fitted(estimator: Any, job: Job) -> FittedEstimator:
    """An estimator that is fitted already, to the table of columns.

    Raises:
        SluiceError: it is of the wrong kind, or was fitted to other classes than the label's.
    """
    _suits(estimator, job)
    known = np.asarray(getattr(estimator, "classes_", np.arange(len(job.classes)))).tolist()
    if known != list(range(len(job.classes))):
        raise SluiceError(f"{_name(estimator)} was fitted to the classes {known}", where="trainer",
                          remedy=f"fit it to the classes' numbers, which are 0 to {len(job.classes) - 1}")  # fmt: skip
    return FittedEstimator(estimator, job)


def _name(estimator: Any) -> str:
    """Of an estimator, or of a pipeline's last step."""
    return type(getattr(estimator, "steps", [("", estimator)])[-1][1]).__name__


def _suits(estimator: Any, job: Job) -> None:
    """The estimator is one for the task.

    Raises:
        SluiceError: it is not.
    """
    from sklearn.base import is_classifier, is_regressor

    classes, name = job.task is not Task.REGRESSION, _name(estimator)
    if not (is_classifier(estimator) if classes else is_regressor(estimator)):
        raise SluiceError(f"{name} is no {'classifier' if classes else 'regressor'}, and the task is {job.task}",
                          where="trainer", remedy="choose another estimator, or set label.task")  # fmt: skip
    if classes and not hasattr(estimator, "predict_proba"):
        raise SluiceError(f"{name} gives no probabilities", where="trainer",
                          remedy="wrap it in sklearn.calibration.CalibratedClassifierCV, or choose another")  # fmt: skip


def _weights(estimator: Any, job: Job) -> dict[str, np.ndarray]:
    """Keyword of `fit` for class weights: of the estimator, or of the last step of a pipeline."""
    weights = by_class(job.trainer.class_weights, job.classes, job.columns[LABEL])
    if weights is None:
        return {}
    steps = getattr(estimator, "steps", None)
    return {
        f"{steps[-1][0]}__sample_weight" if steps else "sample_weight": weights[job.columns[LABEL].astype(np.int64)]
    }


def _estimator(job: Job) -> Any:
    """The estimator by its name; where ids are no numbers to it, behind a one-hot encoding."""
    name = job.trainer.estimator or BOOSTING + ("Regressor" if job.task is Task.REGRESSION else "Classifier")
    kind = _kind(name)
    settings = _settings(kind, job.trainer.hyperparameters)
    if "random_state" in kind._get_param_names():
        settings.setdefault("random_state", job.trainer.seed)
    if name.startswith(BOOSTING):
        few = [name for name, size in zip(job.plan.ids, job.plan.sizes, strict=True) if size <= BINS]
        return kind(**{"categorical_features": few or None, **settings})
    try:
        made = kind(**settings)
    except TypeError as error:
        raise SluiceError(f"{name} is made of other estimators: {error}", where="trainer.estimator",
                          remedy="build it in a module of your own: trainer.name own") from error  # fmt: skip
    return _encoded(made, job) if IDS in job.columns else made


def _kind(name: str) -> Any:
    """An estimator's class by its dotted name.

    Raises:
        SluiceError: scikit-learn has none of that name.
    """
    from sklearn.base import BaseEstimator

    module, _, attribute = name.rpartition(".")
    with contextlib.suppress(ModuleNotFoundError):
        if module.split(".")[0] == "sklearn":
            kind = getattr(importlib.import_module(module), attribute, None)
            if isinstance(kind, type) and issubclass(kind, BaseEstimator):
                return kind
    raise SluiceError(f"scikit-learn has no estimator {name!r}", where="trainer.estimator",
                      remedy="name one in full, e.g. sklearn.linear_model.LogisticRegression")  # fmt: skip


def _encoded(estimator: Any, job: Job) -> Any:
    """An estimator behind a one-hot encoding of the ids."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    hot = OneHotEncoder(categories=[np.arange(size) for size in job.plan.sizes], handle_unknown="ignore")
    columns = make_column_transformer((hot, list(job.plan.ids)), remainder="passthrough")
    return make_pipeline(columns, estimator)


def _settings(kind: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters as the estimator takes them, which KFP's structs cannot all say.

    A whole number is an integer, and the text ``none`` is None, where only that will do.

    Raises:
        SluiceError: the estimator has no such hyperparameter.
    """
    from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

    rules = kind._parameter_constraints
    if unknown := sorted(set(given) - set(kind._get_param_names())):
        raise SluiceError(f"{kind.__name__} has no hyperparameter {unknown[0]!r}", where="trainer.hyperparameters",
                          remedy=f"known: {', '.join(kind._get_param_names())}")  # fmt: skip
    settings = {}
    for name, value in given.items():
        settings[name] = value
        other = int(value) if isinstance(value, float) and value.is_integer() else None
        if name in rules and (other is not None or value == "none"):
            try:
                validate_parameter_constraints({name: rules[name]}, {name: value}, kind.__name__)
            except InvalidParameterError:
                settings[name] = other
    return settings
