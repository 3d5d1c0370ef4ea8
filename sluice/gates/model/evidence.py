"""What the model gate judges: metrics with their resamples, on the same rows for every model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OVERALL = ""


@dataclass(frozen=True)
class Measured:
    """One metric of one model over one slice.

    Attributes:
        value: the metric; NaN where it is not defined (one class only, say).
        draws: the metric in every resample, shape [resamples]; the draws of all models go together. Empty where the
            policy goes by point estimates.
    """

    value: float
    draws: NDArray[np.floating]


@dataclass(frozen=True)
class SliceEvidence:
    """Metrics over one slice.

    Attributes:
        rows: rows in the slice.
        challenger: metric to what the challenger shows.
        champion: metric to what the champion shows; empty where there is none.
        trivial: metric to what the best constant shows.
        labels: label of a classification to its rows in the slice; empty for other tasks.
    """

    rows: int
    challenger: dict[str, Measured]
    champion: dict[str, Measured] = field(default_factory=dict)
    trivial: dict[str, Measured] = field(default_factory=dict)
    labels: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SeenRows:
    """Rows of the evaluation split that the champion was trained on.

    Attributes:
        rows: rows that are evaluated.
        trained_on: how many of them are, in every column, rows that the champion was trained on; None: not known.
        why: why that is not known, or how the two models' splits differ; empty: nothing to say.
        split: how the rows were divided that are evaluated, in words.
        champion_split: how those were divided that the champion was trained on; None: not known.
    """

    rows: int
    trained_on: int | None
    why: str = ""
    split: str = ""
    champion_split: str | None = None

    @property
    def share(self) -> float:
        """The share of the evaluation rows; 0 where it is not known."""
        return (self.trained_on or 0) / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class ModelEvidence:
    """Everything the model gate looks at.

    Attributes:
        task: ``binary``, ``multiclass`` or ``regression``.
        slices: slice to its evidence; ``OVERALL`` is all rows, ``carrier=AA`` and ``carrier=AA, origin=JFK`` are slices.
        groups: column group to its slices' names.
        champion: the champion's version, or None.
        identical: whether challenger and champion are the same bytes.
        keys: slice to the columns and values it stands for; those of ``OVERALL`` are none.
        seen: evaluation rows that the champion was trained on; None without a champion, or where nobody counted.
        notes: what is worth knowing of the rows, in sentences; on record, and judged by no rule.
    """

    task: str
    slices: dict[str, SliceEvidence]
    groups: dict[tuple[str, ...], tuple[str, ...]]
    champion: int | None = None
    identical: bool = False
    keys: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    seen: SeenRows | None = None
    notes: tuple[str, ...] = ()


def slice_name(key: tuple[tuple[str, str], ...]) -> str:
    """A slice's name, e.g. ``carrier=AA, origin=JFK``; ``OVERALL`` for no column.

    Where a column or a value holds what parts a name, it stands in quotes: no two slices have one name.
    """
    return ", ".join(f"{_quoted(column, ',=')}={_quoted(value, '=')}" for column, value in key)


def _quoted(text: str, signs: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text.startswith('"') or any(sign in text for sign in signs) else text
