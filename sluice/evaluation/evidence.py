"""Gather the evidence for the model gate: every metric, slice and resample from predictions that are made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sluice.evaluation.metrics import Rows, catalogue, trivial, value
from sluice.evaluation.resample import Resamples
from sluice.gates.model.evidence import OVERALL, Measured, ModelEvidence, SliceEvidence
from sluice.gates.model.metrics import FLOOR, TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.gates.model.policy import ModelPolicy

CHALLENGER, CHAMPION, TRIVIAL = "challenger", "champion", "trivial"


@dataclass(frozen=True)
class Slices:
    """Which rows are in which slice.

    Attributes:
        rows: slice to the indices of its rows; ``OVERALL`` has them all.
        groups: column group to its slices.
        keys: slice to the columns and values it stands for.
    """

    rows: dict[str, NDArray[np.int64]]
    groups: dict[tuple[str, ...], tuple[str, ...]]
    keys: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


def gather(
    models: dict[str, Rows], slices: Slices, policy: ModelPolicy, task: str, *, champion: int | None,
    identical: bool = False, groups: NDArray[np.int64] | None = None,
) -> ModelEvidence:  # fmt: skip
    """Measure all models on the same rows.

    Args:
        models: ``challenger`` and, if there is one, ``champion``, with what they predicted.
        slices: which rows are in which slice.
        policy: names the metrics, and how noise is told.
        task: of the models.
        champion: the champion's version.
        identical: whether challenger and champion are the same bytes.
        groups: group of each row, drawn together.
    """
    models = {**models, TRIVIAL: trivial(models[CHALLENGER], task)}
    floor = () if policy.floor == "off" else (policy.floor.metric or FLOOR[task],)
    names = [name for name in dict.fromkeys([*policy.measured(), *floor]) if name in TASKS[task]]
    metrics = catalogue(policy, task)
    asked = _asked(models, slices, policy, [name for name in floor if name in names], names)
    resamples = None
    if policy.uncertainty == "bootstrap":
        units = np.arange(len(slices.rows[OVERALL])) if groups is None else groups
        resamples = Resamples(units, policy.resamples, policy.seed)
    evidence = {}
    for piece, index in slices.rows.items():
        measured: dict[str, dict[str, Measured]] = {}
        for model, rows in models.items():
            held = rows if piece == OVERALL else rows.take(index)
            measured[model] = {}
            for name in names:
                exact = value(name, held, metrics)
                draws: NDArray[np.floating] = np.empty(0)
                if resamples and (model, piece, name) in asked:
                    draws = resamples.draws(name, metrics.get(name), held, index, exact)
                measured[model][name] = Measured(exact, draws)
        evidence[piece] = SliceEvidence(
            len(index), measured[CHALLENGER], measured.get(CHAMPION, {}), measured[TRIVIAL],
            _labels(models[CHALLENGER].label[index], task),
        )  # fmt: skip
    return ModelEvidence(task, evidence, slices.groups, champion, identical, slices.keys)


def _labels(label: NDArray[np.floating], task: str) -> dict[int, int]:
    """Label of a classification to its rows."""
    if task not in ("binary", "multiclass"):
        return {}
    return {int(value): int(rows) for value, rows in zip(*np.unique(label, return_counts=True), strict=True)}


def _asked(
    models: dict[str, Rows], slices: Slices, policy: ModelPolicy, floor: list[str], names: list[str]
) -> set[tuple[str, str, str]]:
    """Model, slice and metric of the resamples that rules ask for."""
    asked = {(model, OVERALL, name) for name in floor for model in (CHALLENGER, TRIVIAL)}
    for rule in policy.rules:
        pieces = [name for group in rule.slices for name in slices.groups.get(group, ())] if rule.slices else [OVERALL]
        large = [p for p in pieces if len(slices.rows[p]) >= policy.min_slice_rows or p == OVERALL]
        compared = [CHALLENGER, CHAMPION] if rule.compares and CHAMPION in models else [CHALLENGER]
        asked |= {(model, piece, rule.metric) for model in compared for piece in large if rule.metric in names}
    return asked
