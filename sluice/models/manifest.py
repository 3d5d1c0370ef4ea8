"""``model.json``: what a model artifact says of itself, whatever its flavor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003
from typing import Any

from pydantic import BaseModel, ConfigDict

from sluice.errors import SluiceError

MODEL_FILE = "model.json"


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class RawType(StrEnum):
    """Type of a raw feature at the serving signature; each has the shape [batch].

    ``FLOAT``: float32, NaN where missing (integers too). ``STRING``: UTF-8, empty where missing; categories, booleans
    and times of any column type are written as text (`sluice.examples.columns.as_text`): integers in decimal, booleans
    as ``true`` and ``false``, times as RFC 3339, e.g. ``2013-01-31T05:00:00Z``: seconds since 1970 do not fit a float32.
    """

    FLOAT = "float"
    STRING = "string"


class ModelManifest(BaseModel):
    """What a model artifact says of itself.

    Attributes:
        format: version of this layout.
        flavor: ``tensorflow`` (a SavedModel lies in the same folder), ``sklearn``, ...: names the prediction adapter.
        task: what it predicts.
        label: the label's column.
        classes: the label's values as text, in the order of the model's outputs; the second is the positive one of a
            binary task; empty for a regression.
        features: raw feature name to its type at the serving signature, in the signature's order.
        training: how it was made: trainer, hyperparameters, examples digest, statistics digest, spans, steps, seed.
        libraries: library name to version that made it.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = 1
    flavor: str
    task: Task
    label: str
    classes: list[str] = []
    features: dict[str, RawType]
    training: dict[str, Any] = {}
    libraries: dict[str, str] = {}

    def save(self, folder: Path) -> None:
        """Write ``model.json``."""
        (folder / MODEL_FILE).write_text(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> ModelManifest:
        """Read ``model.json``.

        Raises:
            SluiceError: the folder holds no model artifact.
        """
        file = folder / MODEL_FILE
        if not file.is_file():
            raise SluiceError(
                "no model here: model.json is missing", where=str(folder), remedy="give the folder that train wrote"
            )
        return cls.model_validate_json(file.read_bytes())
