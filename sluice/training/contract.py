"""The trainer contract: what every trainer is given, and what it gives back, whatever library stands behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sluice.training.devices import Devices

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from sluice.features.preprocessing import Plan
    from sluice.models.manifest import Task
    from sluice.training.spec import Trainer


@dataclass(frozen=True)
class Job:
    """What a trainer is given; the user's own ``fit(job, hyperparameters)`` gets it as well.

    Attributes:
        plan: names, sizes and embedding sizes of the columns.
        task: what is to be predicted.
        classes: the label's values as text, in the order of the model's outputs; none for a regression.
        columns: the train split, mapped into memory: ``numbers``, float32 of shape [rows, numbers]; ``ids``, int32 of
            shape [rows, ids]; ``label``, float32 of shape [rows], the class's index or the value.
        trainer: what is trained, and how.
        key: digest of everything that decides the weights; names the checkpoints.
        preprocessing: folder of the preprocessing that made the columns.
        examples: raw rows for a look at how values were numbered, as the serving signature takes them.
        champion: folder of the champion's model; None where there is none, or nothing is to be taken from it.
        devices: where it runs.
    """

    plan: Plan
    task: Task
    classes: list[str]
    columns: dict[str, np.ndarray]
    trainer: Trainer
    key: str
    preprocessing: Path
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    champion: Path | None = None
    devices: Devices = field(default_factory=Devices)

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for an example: a logit a class, one for two classes, or the value."""
        return len(self.classes) if len(self.classes) > 2 else 1


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        steps: after how many steps.
        loss: mean training loss since the point before.
        validation: loss on the rows held back; empty where none are.
        kept: the step whose weights were kept.
        notes: what is worth knowing of the training, in sentences: that it stopped early, was short, or ended too soon.
    """

    steps: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    kept: int = 0
    notes: list[str] = field(default_factory=list)


class Fitted(Protocol):
    """A trained model in memory."""

    @property
    def flavor(self) -> str:
        """Of the artifact; names its prediction adapter and its server."""
        ...

    @property
    def libraries(self) -> tuple[str, ...]:
        """Distributions whose versions stand in ``model.json``."""
        ...

    @property
    def curve(self) -> Curve | None:
        """The learning curve; None where the trainer has none."""
        ...

    def predict(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Predictions for preprocessed columns, as `sluice.models.adapter.Predictor.predict` defines them."""
        ...

    def export(self, out: Path) -> None:
        """Write the model's files, preprocessing included; they need none of our code."""
        ...
