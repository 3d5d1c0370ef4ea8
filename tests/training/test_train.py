"""Training: every task, the same weights for the same inputs, errors in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sluice.errors import SluiceError
from sluice.features.spec import Features
from sluice.training.spec import Label, Trainer
from tests import made

pytestmark = pytest.mark.tf

FEATURES = Features(numeric=["x", "y"], categorical=["c", "k"])


def table(rows: int = 600, label: str = "binary") -> pa.Table:
    random = np.random.default_rng(0)
    x, y, c = random.normal(size=rows), random.normal(size=rows), random.integers(0, 3, rows)
    signal = x - y + c
    labels = {
        "binary": (signal > 1).astype(np.int64), "multiclass": np.array(["low", "mid", "top"])[np.digitize(signal, [0, 2])],
        "regression": 100 + 10 * signal, "boolean": signal > 1, "constant": np.zeros(rows, np.int64),
    }  # fmt: skip
    return pa.table({
        "x": pa.array(np.where(random.random(rows) < 0.1, np.nan, x), from_pandas=True), "y": y,
        "c": pa.array(np.array(["red", "green", None], object)[c]), "k": random.integers(0, 5, rows), "label": labels[label],
    })  # fmt: skip


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression", "boolean"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    examples = made.examples(folder / "examples", table(label=request.param))
    return request.param, made.trained(
        folder, examples, FEATURES, Label(column="label"), Trainer(steps=300, batch_size=64)
    )


def test_the_model_learned(trained: tuple[str, Path]) -> None:
    from sluice.examples.dataset import Examples
    from sluice.models import adapter

    kind, folder = trained
    predictor = adapter.load(folder / "model")
    held = Examples.load(folder / "examples").table("eval")
    prediction, label = predictor.predict(held), np.asarray(held["label"].to_pylist())
    if kind == "regression":
        assert ((prediction - label) ** 2).mean() < 0.3 * label.var()
    elif kind == "multiclass":
        assert predictor.manifest.classes == ["low", "mid", "top"]
        np.testing.assert_allclose(prediction.sum(axis=1), 1, rtol=1e-5)
        assert (np.array(predictor.manifest.classes)[prediction.argmax(axis=1)] == label).mean() > 0.7
    else:
        assert predictor.manifest.classes == (["0", "1"] if kind == "binary" else ["false", "true"])
        assert ((prediction > 0.5) == label.astype(bool)).mean() > 0.8


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_same_inputs_same_predictions(tmp_path: Path, name: str) -> None:
    from sluice.models import adapter

    examples = made.examples(tmp_path / "examples", table())
    answers = []
    for attempt in ("one", "two"):
        folder = made.trained(
            tmp_path / attempt, examples, FEATURES, Label(column="label"), Trainer(name=name, steps=50)
        )
        answers.append(adapter.load(folder / "model").predict(examples.table("eval")))
    np.testing.assert_array_equal(*answers)


def test_features_are_inferred_where_none_are_named(tmp_path: Path) -> None:
    from sluice.models.manifest import ModelManifest

    examples = made.examples(tmp_path / "examples", table())
    folder = made.trained(tmp_path, examples, Features(), Label(column="label"), Trainer(steps=20))
    assert {name: str(kind) for name, kind in ModelManifest.load(folder / "model").features.items()} == {
        "x": "float", "y": "float", "k": "float", "c": "string",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("label", "features", "trainer", "message"),
    [
        (Label(column="label"), Features(numeric=["x", "label"]), Trainer(steps=1), "the label is among the features"),
        (Label(column="label"), FEATURES, Trainer(steps=50, learning_rate=1e30), "the loss is not a number at step"),
        (Label(column="c", task="regression"), Features(numeric=["y"]), Trainer(steps=1), "the label is missing in"),
        (
            Label(column="k", task="binary"),
            Features(numeric=["y"]),
            Trainer(steps=1),
            "the label has 5 values, a binary task two",
        ),
        (
            Label(column="label", positive="yes"),
            Features(numeric=["y"]),
            Trainer(steps=1),
            "the positive value 'yes' does not occur",
        ),
    ],
)
def test_mistakes(tmp_path: Path, label: Label, features: Features, trainer: Trainer, message: str) -> None:
    examples = made.examples(tmp_path / "examples", table())
    with pytest.raises(SluiceError, match=message):
        made.trained(tmp_path, examples, features, label, trainer)


def test_a_constant_label(tmp_path: Path) -> None:
    examples = made.examples(tmp_path / "examples", table(label="constant"))
    with pytest.raises(SluiceError, match="the label has one value only"):
        made.trained(tmp_path, examples, FEATURES, Label(column="label"), Trainer(steps=1))


def test_a_class_unseen_in_training(tmp_path: Path) -> None:
    mixed = table(label="multiclass")
    values = mixed["label"].to_pylist()
    values[0] = "new"  # row 0 is evaluated
    examples = made.examples(tmp_path / "examples", mixed.set_column(4, "label", pa.array(values)))
    with pytest.raises(SluiceError, match="the class 'new' was not in the train split"):
        made.trained(tmp_path, examples, FEATURES, Label(column="label"), Trainer(steps=1))
