"""Gather the evidence for the model gate: every metric, slice and resample from predictions that are made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sluice.evaluation.metrics import Rows, trivial, value
from sluice.evaluation.resample import Resamples
from sluice.gates.model.evidence import OVERALL, Measured, ModelEvidence, SliceEvidence
from sluice.gates.model.metrics import FLOOR, TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sluice.gates.model.policy import ModelPolicy
    from sluice.models.manifest import Task

CHALLENGER, CHAMPION, TRIVIAL = "challenger", "champion", "trivial"


@dataclass(frozen=True)
class Slices:
    """Which rows are in which slice.

    Attributes:
        rows: slice to the indices of its rows; ``OVERALL`` has them all.
        groups: column group to its slices.
    """

    rows: dict[str, NDArray[np.int64]]
    groups: dict[tuple[str, ...], tuple[str, ...]]


def gather(
    models: dict[str, Rows], slices: Slices, policy: ModelPolicy, task: Task, *, champion: int | None,
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
    models = {**models, TRIVIAL: trivial(models[CHALLENGER])}
    names = [name for name in _named(policy, task) if name in TASKS[task]]
    tested = _tested(policy, slices)
    draws = _draws(models, slices, names, tested, policy, groups, task)
    evidence = {}
    for piece, index in slices.rows.items():
        measured: dict[str, dict[str, Measured]] = {}
        for model, rows in models.items():
            held = rows.take(index)
            measured[model] = {
                name: Measured(value(name, held), draws.get((model, piece, name), np.empty(0))) for name in names
            }
        evidence[piece] = SliceEvidence(len(index), measured[CHALLENGER], measured.get(CHAMPION, {}), measured[TRIVIAL])
    return ModelEvidence(str(task), evidence, slices.groups, champion, identical)


def _named(policy: ModelPolicy, task: Task) -> list[str]:
    return list(dict.fromkeys([*policy.measured(), *_floor(policy, task)]))


def _floor(policy: ModelPolicy, task: Task) -> tuple[str, ...]:
    return () if policy.floor == "off" else (policy.floor.metric or FLOOR[task],)


def _tested(policy: ModelPolicy, slices: Slices) -> dict[str, set[str]]:
    """Metric to the slices whose resamples a rule asks for."""
    tested: dict[str, set[str]] = {}
    for rule in policy.rules:
        names = [name for group in rule.slices for name in slices.groups.get(group, ())] if rule.slices else [OVERALL]
        tested.setdefault(rule.metric, set()).update(
            n for n in names if len(slices.rows[n]) >= policy.min_slice_rows or n == OVERALL
        )
    return tested


def _draws(
    models: dict[str, Rows], slices: Slices, names: list[str], tested: dict[str, set[str]], policy: ModelPolicy,
    groups: NDArray[np.int64] | None, task: Task,
) -> dict[tuple[str, str, str], NDArray[np.floating]]:  # fmt: skip
    """The metrics that rules ask for, in every resample."""
    if policy.uncertainty == "point":
        return {}
    floor = _floor(policy, task)
    asked = {
        (model, piece, name)
        for name, pieces in tested.items() if name in names
        for piece in pieces for model in models if model != TRIVIAL
    }  # fmt: skip
    asked |= {(model, OVERALL, name) for name in floor for model in models if model != CHAMPION}
    units = np.arange(len(slices.rows[OVERALL])) if groups is None else groups
    resamples = Resamples(units, policy.resamples, policy.seed)
    return {
        (model, piece, name): resamples.draws(name, models[model].take(slices.rows[piece]), slices.rows[piece])
        for model, piece, name in sorted(asked)
    }
