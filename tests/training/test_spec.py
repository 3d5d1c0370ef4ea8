"""The trainer as configured: what does not go together is told before anything runs."""

from __future__ import annotations

import json
from datetime import date

import pytest
from pydantic import ValidationError

from sluice.training.spec import Label, Trainer


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "own"}, "`code` and the name `own` go together"),
        ({"code": "mine"}, "`code` and the name `own` go together"),
        ({"name": "own", "code": "mine.py"}, "needs its sha256"),
        ({"patience": 3, "validation": 0}, "patience needs rows held back"),
        ({"estimator": "sklearn.svm.SVC"}, "estimator goes with the name `sklearn`"),
        (
            {"name": "sklearn", "steps": 10, "warm_start": True},
            "sklearn does not go by steps: take out steps, warm_start",
        ),
        ({"hyperparameters": {"depth": 3}}, "wide_and_deep has no hyperparameters"),
        ({"hidden": [64, 0]}, "greater than or equal to 1"),
        (
            {"name": "sklearn", "hyperparameters": {"tol": 1, "max_depth": None}},
            "KFP hands on no null: leave max_depth out",
        ),
        ({"name": "own", "code": "mine", "hyperparameters": {"deep": {"er": [1, None]}}}, "leave deep out"),
        ({"name": "sklearn", "hyperparameters": "{1"}, "the text is not JSON"),
        ({"name": "sklearn", "hyperparameters": "[1]"}, "valid dictionary"),
        ({"name": "sklearn", "hyperparameters": {"since": date(2026, 1, 1)}}, "since holds what JSON does not"),
        ({"name": "sklearn", "hyperparameters": {"weights": {1: 0.5}}}, "weights holds what JSON does not"),
        ({"name": "sklearn", "hyperparameters": {"tol": float("inf")}}, "tol holds what JSON does not"),
    ],
)
def test_what_does_not_go_together(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Trainer.model_validate(given)


def test_hyperparameters_as_text_keep_their_types() -> None:
    given = {"max_features": 1, "max_samples": 1.0, "nested": {"b": [2.0, 3], "a": True}}
    told = Trainer.model_validate({"name": "sklearn", "hyperparameters": json.dumps(given)}).hyperparameters
    assert json.dumps(told) == json.dumps(given, sort_keys=True)


def test_a_dumped_trainer_is_the_same_again() -> None:
    for given in (
        {},
        {"validation": 0},
        {"name": "sklearn", "class_weights": {"1": 2.0}},
        {"name": "own", "code": {"module": "mine"}},
    ):
        trainer = Trainer.model_validate(given)
        assert Trainer.model_validate(trainer.model_dump(mode="json")) == trainer


def test_nothing_is_waited_for_where_no_rows_are_held_back() -> None:
    assert (Trainer().validation, Trainer().patience) == (0.1, 5)
    assert Trainer(validation=0).patience == 0


@pytest.mark.parametrize("given", [None, ""])
def test_a_label_without_a_name(given: object) -> None:
    with pytest.raises(ValidationError, match="no label is named: give its column"):
        Label.model_validate(given)
