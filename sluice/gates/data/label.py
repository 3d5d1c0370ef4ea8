"""What transform, train and evaluate need of the label and of row weights, asked before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice.gates.verdict import Outcome, Reason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLOAT32 = 3.4028234663852886e38
"""Largest finite float32: models see features and labels in that type."""
SHOWN = 5


@dataclass(frozen=True)
class SplitLabel:
    """The label in one split.

    Attributes:
        rows: rows of the split.
        missing: rows without a label.
        beyond: rows whose label is infinite, or too large for a float32; 0 for a label that is no number.
        classes: class as text to its rows; empty where the label has too many values to be classes.
    """

    rows: int
    missing: int = 0
    beyond: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """A column of row weights in one split.

    Attributes:
        rows: rows of the split.
        problem: why the column cannot be weights at all; empty where it can.
        missing: rows without a weight.
        negative: rows whose weight is below 0 or not finite.
        total: sum of the others.
    """

    rows: int
    problem: str = ""
    missing: int = 0
    negative: int = 0
    total: float = 0.0


@dataclass(frozen=True)
class LabelEvidence:
    """Everything that the rules look at.

    Attributes:
        column: the label's.
        splits: split to the label in it.
        train: the split that is trained on.
        has_classes: whether the task has classes.
        problem: why the label fits no task, or not the one that is configured; empty where it does.
        remedy: what would settle that.
        weights: column to split to what it holds.
    """

    column: str
    splits: Mapping[str, SplitLabel]
    train: str
    has_classes: bool = False
    problem: str = ""
    remedy: str = ""
    weights: Mapping[str, Mapping[str, Weights]] = field(default_factory=dict)


def label_rules(evidence: LabelEvidence) -> Iterator[Reason]:
    """Judge the label and the weights.

    Rules: ``label_missing``, ``label_range``, ``label_task``, ``label_classes`` and ``weights``.
    """
    for split, label in evidence.splits.items():
        yield _counted("label_missing", f"{evidence.column} @ {split}", label.missing, label.rows,
                       f"have no label {evidence.column!r}", f"leave such rows out in the source ({split})")  # fmt: skip
        if not evidence.has_classes:
            yield _counted("label_range", f"{evidence.column} @ {split}", label.beyond, label.rows,
                           f"have a label that is infinite, or beyond the ±{FLOAT32:.3g} of a float32",
                           f"leave such rows out, or give the label in another unit ({split})")  # fmt: skip
    yield Reason(
        rule="label_task", subject=evidence.column, outcome=Outcome.FAILED if evidence.problem else Outcome.PASSED,
        sentence=f"{evidence.problem}: {evidence.remedy}" if evidence.problem else f"{evidence.column!r} fits its task",
    )  # fmt: skip
    if evidence.has_classes and not evidence.problem:
        yield from _classes(evidence)
    for column, splits in evidence.weights.items():
        for split, weights in splits.items():
            yield _weights(column, split, weights)


def _counted(rule: str, subject: str, rows: int, total: int, what: str, remedy: str) -> Reason:
    return Reason(
        rule=rule, subject=subject, observed=rows, bound=0, outcome=Outcome.FAILED if rows else Outcome.PASSED,
        sentence=f"{rows:,} of {total:,} rows {what}" + (f": {remedy}" if rows else ""),
    )  # fmt: skip


def _classes(evidence: LabelEvidence) -> Iterator[Reason]:
    """Every class is in the train split; one that is there alone is a warning, as no metric of it can be measured."""
    trained = evidence.splits[evidence.train].classes
    for split, label in evidence.splits.items():
        if split == evidence.train or not label.classes:
            continue
        unseen = sorted(set(label.classes) - set(trained))
        rows = sum(label.classes[name] for name in unseen)
        yield Reason(
            rule="label_classes", subject=f"{evidence.column} @ {split}", observed=len(unseen), bound=0,
            outcome=Outcome.FAILED if unseen else Outcome.PASSED,
            sentence=f"{split} has {len(unseen):,} class(es) that {evidence.train} has not, in {rows:,} rows ({_some(unseen)}): "
            "give more data, or leave these rows out" if unseen else f"{evidence.train} has every class of {split}",
        )  # fmt: skip
        if absent := sorted(set(trained) - set(label.classes)):
            yield Reason(
                rule="label_classes", subject=f"{evidence.column} @ {evidence.train}", observed=len(absent), bound=0,
                outcome=Outcome.FAILED, severity=Severity.WARNING,
                sentence=f"{split} has no row of {len(absent):,} class(es) that {evidence.train} has ({_some(absent)}): "
                "no metric tells how well they are predicted",
            )  # fmt: skip


def _weights(column: str, split: str, weights: Weights) -> Reason:
    problem = weights.problem
    if not problem and weights.missing:
        problem = f"{weights.missing:,} of {weights.rows:,} rows have no weight"
    if not problem and weights.negative:
        problem = f"{weights.negative:,} of {weights.rows:,} rows have a weight that is negative or not finite"
    if not problem and not weights.total:
        problem = "all weights are 0"
    return Reason(
        rule="weights", subject=f"{column} @ {split}", outcome=Outcome.FAILED if problem else Outcome.PASSED,
        sentence=f"{column} in {split}: {problem}: weights are numbers from 0, and not all 0" if problem
        else f"{column} in {split} holds weights",
    )  # fmt: skip


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:SHOWN]))
    return f"{shown}, ..." if len(names) > SHOWN else shown
