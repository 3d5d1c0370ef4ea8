"""The trainer on scikit-learn: from fit to probe, the same bytes again, nothing loaded that nobody vouches for, mistakes."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.gates.service.policy import ServicePolicy
from sluice.models import adapter
from sluice.serving.probe import probe
from sluice.training.spec import Label, Trainer
from tests import made
from tests.training.test_train import FEATURES, table

pytestmark = pytest.mark.tf

FOREST = "sklearn.ensemble.RandomForestClassifier"


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return made.examples(tmp_path_factory.mktemp("sklearn") / "examples", table())


def trained(folder: Path, examples: Examples, **trainer: object) -> Path:
    return made.trained(folder, examples, FEATURES, Label(column="label"), Trainer(name="sklearn", **trainer))


def test_the_export_is_blessed_by_the_probe(examples: Examples, tmp_path: Path) -> None:
    folder = trained(tmp_path, examples)
    verdict = probe(
        model=folder / "model", golden=folder / "golden", policy=ServicePolicy(requests=20, max_p99_ms=5000)
    )
    assert verdict.blessed, [reason.sentence for reason in verdict.reasons]
    assert verdict.evidence["server"].startswith("fresh process, sklearn 1.")


@pytest.mark.parametrize("estimator", ["", FOREST, "sklearn.neighbors.KNeighborsClassifier"])
def test_it_learns_and_does_so_again(examples: Examples, tmp_path: Path, estimator: str) -> None:
    folders = [trained(tmp_path / name, examples, estimator=estimator) for name in ("one", "two")]
    assert len({digest.of_file(folder / "model" / "estimator.skops") for folder in folders}) == 1
    held = examples.table("eval")
    prediction = adapter.load(folders[0] / "model").predict(held)
    assert ((prediction > 0.5) == np.array(held["label"].to_pylist())).mean() > 0.8


def test_numbers_are_whole_and_none_is_none_where_only_that_will_do(examples: Examples, tmp_path: Path) -> None:
    given = {
        "n_estimators": 5.0,
        "max_features": 1.0,
        "max_leaf_nodes": 8.0,
        "max_depth": "none",
        "class_weight": "none",
    }
    trained(tmp_path, examples, estimator=FOREST, hyperparameters=given)
    import skops.io

    from sluice.serving.servers.bare_sklearn import VOUCHED

    (_, forest) = skops.io.load(tmp_path / "model" / "estimator.skops", trusted=list(VOUCHED)).steps[1]
    assert (forest.n_estimators, forest.max_features, forest.max_leaf_nodes) == (5, 1.0, 8)
    assert (forest.max_depth, forest.class_weight) == (None, None)
    assert isinstance(forest.max_features, float)  # all features, and not one


def test_class_weights_lift_the_class(examples: Examples, tmp_path: Path) -> None:
    means = []
    for name, weights in (("plain", "off"), ("weighted", {"1": 20.0})):
        folder = trained(
            tmp_path / name, examples, estimator="sklearn.linear_model.LogisticRegression", class_weights=weights
        )
        means.append(adapter.load(folder / "model").predict(examples.table("eval")).mean())
    assert means[1] > means[0] + 0.1


def test_an_estimator_that_would_run_something_is_not_loaded(tmp_path: Path) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    from sluice.models.sklearn import load, save

    strange = FunctionTransformer(os.system)
    with pytest.raises(SluiceError, match=r"parts that nobody vouches for: posix\.system"):
        save(strange, tmp_path / "estimator.skops")
    skops.io.dump(strange, tmp_path / "planted.skops")
    with pytest.raises(SluiceError, match=r"parts that nobody vouches for: posix\.system"):
        load(tmp_path / "planted.skops")


class Payload:
    """What runs where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def test_a_pickle_under_the_estimator_s_name_is_not_loaded(tmp_path: Path) -> None:
    from sluice.models.sklearn import load

    file, mark = tmp_path / "estimator.skops", tmp_path / "ran"
    file.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(SluiceError, match="scikit-learn cannot load the estimator"):
        load(file)
    assert not mark.exists()


def test_a_pickle_inside_a_good_file_is_not_loaded(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    from sluice.models.sklearn import load, save

    good, file, mark = tmp_path / "good.skops", tmp_path / "estimator.skops", tmp_path / "ran"
    save(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), good)
    planted = io.BytesIO()
    np.save(planted, np.array([Payload(mark)], object), allow_pickle=True)
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, planted.getvalue() if name.endswith(".npy") else old.read(name))
    assert load(good).classes_.tolist() == [0, 1]
    with pytest.raises(SluiceError, match="scikit-learn cannot load the estimator: Object arrays cannot be loaded"):
        load(file)
    assert not mark.exists()


@pytest.mark.parametrize(
    "node",
    [
        {"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode", "content": "system"},
        {"__class__": "eval", "__module__": "builtins", "__loader__": "TypeNode", "content": "eval"},
        {"__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode",
         "attrs": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": []}},
        {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "content": None},
        {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ReduceNode", "reduce": {
            "args": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": []}}},
    ],
)  # fmt: skip
def test_a_crafted_part_is_not_loaded(tmp_path: Path, node: dict[str, Any]) -> None:
    """In the place of a number, inside an estimator that is vouched for."""
    from sklearn.linear_model import LogisticRegression

    from sluice.models.sklearn import load, save

    good, file = tmp_path / "good.skops", tmp_path / "estimator.skops"
    save(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), good)
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(file, "w") as new:
        schema = json.loads(old.read("schema.json"))
        schema["content"]["content"]["C"] = {**node, "__id__": 999}
        for name in old.namelist():
            new.writestr(name, json.dumps(schema) if name == "schema.json" else old.read(name))
    with pytest.raises(SluiceError, match=f"nobody vouches for: .*{node['__class__']}|cannot load the estimator"):
        load(file)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    from sluice.models.sklearn import load

    (tmp_path / "estimator.skops").write_bytes(b"broken")
    with pytest.raises(SluiceError, match="scikit-learn cannot load the estimator"):
        load(tmp_path / "estimator.skops")


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"estimator": "sklearn.tree.Oak"}, "scikit-learn has no estimator 'sklearn.tree.Oak'"),
        ({"estimator": "os.path"}, "scikit-learn has no estimator 'os.path'"),
        ({"estimator": "sklearn.linear_model.Ridge"}, "Ridge is no classifier, and the task is binary"),
        ({"estimator": "sklearn.svm.LinearSVC"}, "LinearSVC gives no probabilities"),
        ({"estimator": "sklearn.ensemble.StackingClassifier"}, "is made of other estimators"),
        ({"hyperparameters": {"trees": 3}}, "HistGradientBoostingClassifier has no hyperparameter 'trees'"),
        ({"hyperparameters": {"learning_rate": -1}}, "HistGradientBoostingClassifier: The 'learning_rate' parameter"),
        ({"class_weights": {"maybe": 2}}, "the label has no class 'maybe'"),
        ({"estimator": "sklearn.neighbors.KNeighborsClassifier", "class_weights": "balanced"}, "sample_weight"),
    ],
)
def test_mistakes(examples: Examples, tmp_path: Path, trainer: dict[str, object], message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        trained(tmp_path, examples, **trainer)
