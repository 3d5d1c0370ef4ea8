"""Weights of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.errors import SluiceError
from sluice.training.batches import passed

if TYPE_CHECKING:
    from collections.abc import Mapping


def by_class(asked: str | Mapping[str, float], classes: list[str], label: np.ndarray) -> np.ndarray | None:
    """The weight of each class, float32 of shape [classes]; None where all weigh the same.

    Args:
        asked: ``off``; ``balanced``: rows / (classes * rows of the class), so that an example weighs 1 on average
            (King and Zeng 2001); or a weight by class, 1 for those not named.
        classes: the label's values as text; none for a regression.
        label: the class's index of each example.

    Raises:
        SluiceError: the task has no classes, a class is unknown, or a weight is not a positive number.
    """
    if asked == "off":
        return None
    if not classes:
        raise SluiceError("a regression has no classes to weigh", where="trainer.class_weights", remedy="take it out")
    if asked == "balanced":
        counts = np.sum([np.bincount(part.astype(np.int64), minlength=len(classes)) for part in passed(label)], axis=0)
        return (counts.sum() / (len(classes) * np.maximum(counts, 1))).astype(np.float32)
    given = dict(asked)  # type: ignore[arg-type]
    if unknown := sorted(set(given) - set(classes)):
        raise SluiceError(f"the label has no class {unknown[0]!r}", where="trainer.class_weights",
                          remedy=f"classes: {', '.join(classes)}")  # fmt: skip
    if wrong := [name for name, weight in given.items() if not 0 < weight < np.inf]:
        raise SluiceError(f"the weight of the class {wrong[0]!r} is {given[wrong[0]]}", where="trainer.class_weights",
                          remedy="give a number above 0")  # fmt: skip
    return np.array([given.get(name, 1.0) for name in classes], np.float32)
