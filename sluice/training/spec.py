"""What is to be predicted and what is trained, as `label` and `trainer` in sluice.yaml."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from sluice.config.base import Strict
from sluice.modules import Code

LOOP = (
    "steps", "epochs", "min_steps", "batch_size", "learning_rate", "hidden", "dropout", "validation", "patience", "precision",
    "checkpoints", "warm_start",
)  # fmt: skip
"""Options that only a training loop of steps can follow."""


class Label(Strict):
    """What is to be predicted; a plain name in sluice.yaml is its column.

    Attributes:
        column: the label's column.
        task: ``auto`` goes by the statistics: two values are a binary task, up to 50 integers or texts several
            classes, anything else a regression.
        positive: the positive value of a binary task, as text; None: the greater of the two.
    """

    column: str = Field(min_length=1)
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    positive: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if value is None or value == "":
            raise ValueError("no label is named: give its column, e.g. label: late")
        return {"column": value} if isinstance(value, str) else value


class Trainer(Strict):
    """What is trained, and how.

    Attributes:
        name: ``wide_and_deep``, ``mlp`` or ``linear`` (Keras on TensorFlow), ``sklearn`` (an estimator of scikit-learn),
            or ``own`` (what `code` builds or fits).
        code: the user's own module for ``own``: it has ``build(inputs, hyperparameters)`` or
            ``fit(job, hyperparameters)``.
        estimator: for ``sklearn``, a class by its dotted name, e.g. ``sklearn.linear_model.LogisticRegression``; empty:
            gradient boosting over histograms.
        hyperparameters: of the estimator, or of the user's own code, which read them as they like; or the same as the text
            of a JSON object, which is how a use case's travel: a struct of KFP does not tell 1 from 1.0 (one feature, or
            all), and hands on no null: for an estimator's None write the text ``none``.
        steps: optimizer steps, at most.
        epochs: passes over the train split, at most: on little data, steps end here, but for `min_steps`.
        min_steps: steps that little data gets whatever `epochs` says: ten passes over 266 rows are 11 steps, which train nothing.
        batch_size: examples a step; of all workers together.
        learning_rate: of Adam.
        hidden: units of the hidden layers of ``wide_and_deep`` and ``mlp``.
        dropout: fraction dropped after each hidden layer.
        seed: of initial weights and of the order of examples.
        class_weights: ``off``, ``balanced`` (every class weighs the same in sum) or a weight by class.
        validation: fraction of the train split that is held back to see the loss on (every so many-th row); 0: none is, and
            all steps are trained.
        patience: stop after so many checks (one every 100 steps) that did not better the loss on the rows held back, and
            keep the best weights; 0: train to the end, and keep the last.
        precision: of the arithmetic: ``float32``, ``mixed_bfloat16``, ``mixed_float16``, or ``auto`` (what the GPU is
            fast in; float32 without one). The export always is float32.
        checkpoints: URI of a folder where a training that is killed leaves off, and from which the same training goes
            on; empty: it begins anew.
        checkpoint_steps: steps between checkpoints, in hundreds.
        warm_start: begin with the champion's weights where they fit.
    """

    name: Literal["wide_and_deep", "mlp", "linear", "sklearn", "own"] = "wide_and_deep"
    code: Code = Code()
    estimator: str = ""
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    steps: int = Field(default=2000, ge=1)
    epochs: float = Field(default=10.0, gt=0)
    min_steps: int = Field(default=500, ge=1)
    batch_size: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=0.002, gt=0)
    hidden: list[Annotated[int, Field(ge=1)]] = Field(default=[64, 32])
    dropout: float = Field(default=0.0, ge=0, lt=1)
    seed: int = 0
    class_weights: Literal["off", "balanced"] | dict[str, float] = "off"
    validation: float = Field(default=0.1, ge=0, le=0.5)
    patience: int = Field(default=5, ge=0)
    precision: Literal["float32", "auto", "mixed_bfloat16", "mixed_float16"] = "float32"
    checkpoints: str = ""
    checkpoint_steps: int = Field(default=500, ge=100)
    warm_start: bool = False

    @model_validator(mode="before")
    @classmethod
    def _without_rows_held_back(cls, value: Any) -> Any:
        """Nothing is waited for where no rows are held back, unless it is asked for, which is refused below."""
        if isinstance(value, dict) and value.get("validation") == 0:
            return {"patience": 0, **value}
        return value

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"the text is not JSON: {error}") from None

    @field_validator("hyperparameters")
    @classmethod
    def _json(cls, value: dict[str, Any]) -> dict[str, Any]:
        if odd := [key for key, item in value.items() if not _is_json(item)]:
            raise ValueError(
                f"{odd[0]} holds what JSON does not: give texts, finite numbers, booleans, lists, and mappings of texts"
            )
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.name == "own") != bool(self.code.module):
            raise ValueError("`code` and the name `own` go together: set both, or neither")
        if self.patience and not self.validation:
            raise ValueError("patience needs rows held back: set validation, e.g. to 0.1")
        if nulls := [key for key, value in self.hyperparameters.items() if _null(value)]:
            raise ValueError(
                f"KFP hands on no null: leave {nulls[0]} out, or write the text none for an estimator's None"
            )
        if self.name != "sklearn" and self.estimator:
            raise ValueError("estimator goes with the name `sklearn`")
        if self.name == "sklearn":
            self.no_loop("sklearn")
        elif self.name != "own" and self.hyperparameters:
            raise ValueError(f"{self.name} has no hyperparameters: its options are keys of trainer")
        return self

    def no_loop(self, name: str) -> None:
        """Refuse options of the training loop, which would be without effect.

        Raises:
            ValueError: one is set.
        """
        defaults = {key: Trainer.model_fields[key].get_default(call_default_factory=True) for key in LOOP}
        if told := [key for key, default in defaults.items() if getattr(self, key) != default]:
            raise ValueError(f"{name} does not go by steps: take out {', '.join(told)}")


def _is_json(value: Any) -> bool:
    """Whether JSON holds it as it is: no date, no infinite number, no key that is not a text."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _null(value: Any) -> bool:
    """Whether it is null, or holds one."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_null, inside))
