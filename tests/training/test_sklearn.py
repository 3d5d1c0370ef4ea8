"""The trainer on scikit-learn: from fit to probe, the same bytes again, nothing loaded that nobody vouches for, mistakes."""

from __future__ import annotations

import os
from pathlib import Path

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
