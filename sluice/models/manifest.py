"""``model.json``: what a model artifact says of itself, whatever its flavor."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003
from typing import Any, ClassVar

from pydantic import Field

from sluice.errors import SluiceError
from sluice.stored import Stored

MODEL_FILE = "model.json"
MODEL_1 = frozenset(("format", "flavor", "task", "label", "classes", "features", "training", "libraries"))
"""The fields of ``model.json`` of format 1."""


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


class ModelManifest(Stored):
    """What a model artifact says of itself.

    Attributes:
        format: of ``model.json``; in format 1 `training` named the examples and the preprocessing alone.
        release: the sluice release that wrote it.
        flavor: ``tensorflow`` (a SavedModel lies in the same folder), ``sklearn``, ...: names the prediction adapter.
        task: what it predicts.
        label: the label's column.
        classes: the label's values as text, in the order of the model's outputs; the second is the positive one of a
            binary task; empty for a regression.
        features: raw feature name to its type at the serving signature, in the signature's order.
        training: how it was made: trainer, hyperparameters, spans, steps, seed, and the digests of the artifacts that it was
            made of: ``examples``, ``transformed``, ``preprocessing``, ``statistics``, ``schema``.
        libraries: library name to version that made it.
    """

    WHAT: ClassVar[str] = "the model's manifest"
    INDENT: ClassVar[bool] = True

    format: int = 2
    flavor: str
    task: Task
    label: str
    classes: list[str] = Field(default_factory=list)
    features: dict[str, RawType]
    training: dict[str, Any] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def upgrade(cls, content: dict[str, Any], number: int) -> dict[str, Any]:
        """A manifest of format 1: the same fields, and nothing else."""
        if unknown := sorted(content.keys() - MODEL_1):
            raise ValueError(f"not in a model's manifest of format {number}: {', '.join(unknown)}")
        return {**content, "release": ""}

    def save(self, folder: Path) -> None:
        """Write ``model.json``."""
        (folder / MODEL_FILE).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> ModelManifest:
        """Read ``model.json``.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: the folder holds no model artifact, or its manifest cannot be read.
        """
        file = folder / MODEL_FILE
        if not file.is_file():
            raise SluiceError(
                "no model here: model.json is missing", where=str(folder), remedy="give the folder that train wrote"
            )
        return cls.read(file, "run train again")
