"""What is to be predicted and what is trained, as `label` and `trainer` in sluice.yaml."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from sluice.config.base import Strict


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
        return {"column": value} if isinstance(value, str) else value


class Trainer(Strict):
    """What is trained, and how.

    Attributes:
        name: ``wide_and_deep``, ``mlp`` or ``linear`` (Keras on TensorFlow).
        steps: optimizer steps, at most.
        epochs: passes over the train split, at most: on little data, steps end here.
        batch_size: examples a step.
        learning_rate: of Adam.
        hidden: units of the hidden layers of ``wide_and_deep`` and ``mlp``.
        dropout: fraction dropped after each hidden layer.
        seed: of initial weights and of the order of examples.
    """

    name: Literal["wide_and_deep", "mlp", "linear"] = "wide_and_deep"
    steps: int = Field(default=2000, ge=1)
    epochs: float = Field(default=10.0, gt=0)
    batch_size: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=0.002, gt=0)
    hidden: list[int] = Field(default=[64, 32])
    dropout: float = Field(default=0.0, ge=0, lt=1)
    seed: int = 0
