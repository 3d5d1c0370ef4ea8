"""What later steps need of the label and of weights is a rule of the data gate: with a mode, a record and a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sluice.gates.data.label import label_rules
from sluice.gates.verdict import Outcome, Severity
from sluice.statistics.labels import gather
from sluice.training.spec import Label
from tests import made

NAN, INF = float("nan"), float("inf")


def judged(folder: Path, columns: dict[str, Any], weights: tuple[str, ...] = (), **label: Any) -> dict[str, list[str]]:
    """Rule to the sentences of its failures (those of warnings begin with "warning: "); rows 0, 5, 10, ... are evaluated."""
    examples = made.examples(folder, pa.table(columns))
    found: dict[str, list[str]] = {}
    for reason in label_rules(gather(examples, Label(column="y", **label), "train", weights)):
        if reason.outcome is not Outcome.PASSED:
            mark = "warning: " if reason.severity is Severity.WARNING else ""
            found.setdefault(reason.rule, []).append(f"{mark}{reason.subject}: {reason.sentence}")
    return found


@pytest.mark.parametrize(
    "label",
    [
        [0, 1] * 10,
        ["no", "yes"] * 10,
        [False, True] * 10,
        [1.5 * number for number in range(20)],
        ["a", "b", "c", "d"] * 5,
    ],
)
def test_labels_that_fit_raise_nothing_but_warnings(tmp_path: Path, label: list[Any]) -> None:
    found = judged(tmp_path, {"y": label})
    assert all(sentence.startswith("warning: ") for sentences in found.values() for sentence in sentences)


@pytest.mark.parametrize(
    ("columns", "label", "rule", "said"),
    [
        ({"y": [0, None, 1, 0, 1] * 4}, {}, "label_missing", "y @ train: 4 of 16 rows have no label 'y'"),
        ({"y": [None, 0, 1, 0, 1] * 4}, {}, "label_missing", "y @ eval: 4 of 4 rows have no label 'y'"),
        ({"y": [0.5, NAN, 1.5, 2.5, 3.5] * 4}, {}, "label_missing", "y @ train: 4 of 16"),
        ({"y": [0.5, INF, 1.5, 2.5, 3.5] * 4}, {}, "label_range", "y @ train: 4 of 16 rows have a label that is infinite"),
        ({"y": [-1e39, 0.5, 1.5, 2.5, 3.5] * 4}, {}, "label_range", "y @ eval: 4 of 4"),
        ({"y": ["x", "a", "b", "a", "b"] * 4}, {}, "label_classes", "y @ eval: eval has 1 class(es) that train has not, in 4 rows ('x')"),
        ({"y": ["a", "a", "b", "a", "b"] * 4}, {}, "label_classes", "warning: y @ train: eval has no row of 1 class(es)"),
        ({"y": ["a", "a", "b", "a", "b"] * 4}, {"positive": "c"}, "label_task", "the positive value 'c' does not occur: values: a, b"),
        ({"y": ["a", "b", "c", "d", "a"] * 4}, {"task": "binary"}, "label_task", "the label has 4 values, a binary task two"),
        ({"y": ["a", "b", "c", "d", "a"] * 4}, {"task": "regression"}, "label_task", "a regression needs a number: set label.task"),
        ({"y": ["a"] * 20}, {}, "label_task", "the label has one value only"),
    ],
)  # fmt: skip
def test_what_later_steps_would_stop_at(
    tmp_path: Path, columns: dict[str, Any], label: dict[str, Any], rule: str, said: str
) -> None:
    assert any(said in sentence for sentence in judged(tmp_path, columns, **label)[rule])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0, None, 1.0, 1.0, 1.0] * 4, "w in train: 4 of 16 rows have no weight"),
        ([-1, 1, 1, 1, 1] * 4, "w in eval: 4 of 4 rows have a weight that is negative"),
        ([1.0, INF, NAN, 1.0, 1.0] * 4, "w in train: 4 of 16 rows have no weight"),
        ([0, 1, 1, 1, 1] * 4, "w in eval: all weights are 0"),
        (["1", "2", "3", "4", "5"] * 4, "w in train: it holds string, no numbers"),
    ],
)
def test_weights(tmp_path: Path, weights: list[Any], said: str) -> None:
    found = judged(tmp_path, {"y": [0, 1, 0, 1, 1] * 4, "w": weights}, ("w",))
    assert any(said in sentence for sentence in found["weights"])


def test_weights_that_are_no_column_and_weights_that_fit(tmp_path: Path) -> None:
    columns = {"y": [0, 1, 0, 1, 1] * 4, "w": [0, 1, 2, 3, 4] * 3 + [1] * 5}
    assert "weights" not in judged(tmp_path / "fit", columns, ("w",))
    assert "there is no such column" in judged(tmp_path / "absent", columns, ("v",))["weights"][0]
