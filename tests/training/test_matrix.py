"""Every trainer on two classes, several and a value; the exports alone, in a process without our code; and how good it is."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from sluice import digest
from sluice.evaluation.evaluate import evaluate
from sluice.examples.dataset import Examples
from sluice.features.raw import arrays
from sluice.features.spec import Features
from sluice.gates.model.policy import ModelPolicy
from sluice.models.manifest import ModelManifest, RawType
from sluice.training.golden import UNSEEN
from sluice.training.spec import Label, Trainer
from tests import made

pytestmark = pytest.mark.tf

ROOT = Path(__file__).parents[2]
OWN = """
def build(inputs, hyperparameters, job):
    import keras
    parts = [inputs["numbers"], keras.ops.cast(inputs["ids"], "float32")]
    hidden = keras.layers.Dense(hyperparameters["units"], activation="tanh")(keras.layers.Concatenate()(parts))
    return keras.layers.Dense(job.outputs)(keras.layers.BatchNormalization()(hidden))
"""
ALONE = """
import json, sys
from pathlib import Path
import numpy as np, pandas as pd, skops.io, tensorflow as tf

def predict(folder, rows):
    whole = tf.saved_model.load(str(folder if (folder / "saved_model.pb").exists() else folder / "preprocessing"))
    serve = whole.signatures["serving_default"]
    kinds = {n: s.dtype for n, s in serve.structured_input_signature[1].items()}
    made = serve(**{n: tf.constant(v, kinds[n]) for n, v in rows.items()})
    if "prediction" in made:
        return made["prediction"].numpy()
    file = folder / "estimator.skops"
    estimator = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    names = json.loads((folder / "preprocessing" / "preprocessing.json").read_text())
    table = pd.DataFrame({n: made[k].numpy()[:, i] for k in ("numbers", "ids") for i, n in enumerate(names[k])})
    if not hasattr(estimator, "classes_"):
        return estimator.predict(table)
    made = estimator.predict_proba(table)
    return made if made.shape[1] > 2 else made[:, 1]

answers = {model: predict(Path(model), rows).tolist() for model, rows in json.load(sys.stdin).items()}
assert not [module for module in sys.modules if module.split(".")[0] in ("sluice", "components")]
print(json.dumps(answers))
"""
"""What a stranger would write, who has a model's folder and its libraries, and nothing of ours."""


def flown(months: range, rows: int | None = None) -> tuple[pa.Table, Features]:
    folder = ROOT / "examples" / "flights"
    table = pa.concat_tables([pq.read_table(folder / "data" / f"span-{month:02d}.parquet") for month in months])
    if rows:
        table = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)[:rows]))
    features = Features.model_validate(yaml.safe_load((folder / "sluice.yaml").read_text())["features"])
    return table.select([*features.names(), "late"]), features


def of_every_kind(rows: int) -> tuple[pa.Table, Features]:
    """Flights in January, and every kind of feature."""
    table = pq.read_table(ROOT / "examples" / "flights" / "data" / "span-01.parquet")
    table = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)[:rows]))
    table = table.append_column("weekend", pc.greater_equal(table["day_of_week"], 6))
    features = Features.model_validate({
        "numeric": ["temperature", "humidity", "wind_speed", {"name": "distance", "log": True, "scaling": "min_max"},
                    {"name": "departure_hour", "buckets": 6}, {"name": "plane_year", "clip": [1980, 2013], "impute": "median"}],
        "categorical": ["carrier", "origin", {"name": "dest", "top_k": 40, "oov_buckets": 3}, {"name": "flight", "hash_buckets": 64}],
        "boolean": ["weekend"], "datetime": ["scheduled_departure"],
        "text": [{"name": "tailnum", "level": "char", "ngrams": 2, "hash_buckets": 16}],
        "crosses": [["carrier", "departure_hour"]],
    })  # fmt: skip
    return table.select([*features.names(), "late"]), features


def penguins() -> pa.Table:
    file = distribution("palmerpenguins").locate_file("palmerpenguins/data/penguins.csv")
    table = pyarrow.csv.read_csv(
        str(file), convert_options=pyarrow.csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    )
    table = table.filter(pc.is_valid(table["body_mass_g"]))
    return table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))


def models(folder: Path, table: pa.Table, features: Features, label: str) -> dict[str, Path]:
    """A model of every trainer."""
    code = folder / "own.py"
    code.parent.mkdir(parents=True, exist_ok=True)
    code.write_text(OWN)
    examples = made.examples(folder / "examples", table)
    steps = {"steps": 400, "epochs": 200, "batch_size": 64, "learning_rate": 0.01}
    trainers = [
        *({"name": name, **steps} for name in ("wide_and_deep", "mlp", "linear")),
        {"name": "own", "code": {"module": str(code), "sha256": digest.of_file(code)}, "hyperparameters": {"units": 16}, **steps},
        {"name": "sklearn", "hyperparameters": {"max_iter": 30}},
    ]  # fmt: skip
    from sluice.training.train import train

    first, *others = [Trainer.model_validate(trainer) for trainer in trainers]
    found = {first.name: made.trained(folder / first.name, examples, features, Label(column=label), first)}
    for trainer in others:
        found[trainer.name] = out = folder / trainer.name
        train(
            transformed=folder / first.name / "transformed", preprocessing=folder / first.name / "preprocessing",
            examples=examples, trainer=trainer, label=Label(column=label), model_out=out / "model",
            golden_out=out / "golden", report_out=out / "train.html",
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory, flights: Path) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("matrix")
    island = Features(numeric=["bill_length_mm", "bill_depth_mm", "flipper_length_mm"], categorical=["island", "sex"])
    sets = {
        "flights": (*of_every_kind(3000), "late"),
        "penguins": (penguins(), island, "species"),
        "body mass": (penguins(), Features(numeric=island.numeric, categorical=["island", "species"]), "body_mass_g"),
    }
    return {
        (data, trainer): model for data, held in sets.items() for trainer, model in models(folder / data, *held).items()
    }


def golden(folder: Path) -> np.ndarray:
    return np.array(pq.read_table(folder / "golden" / "golden.parquet")["prediction"].to_pylist())


def test_the_exports_alone_predict_what_training_predicted(matrix: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    assert len(matrix) == 15
    asked = {}
    for folder in matrix.values():
        features = ModelManifest.load(folder / "model").features
        rows = pq.read_table(folder / "golden" / "golden.parquet")
        raw = arrays(rows, features)
        nothing, unseen = ({name: rows[name][index].as_py() for name in features} for index in (-2, -1))
        assert {*nothing.values()} == {None}
        assert UNSEEN in unseen.values()
        asked[str(folder / "model")] = {
            name: [value.decode() for value in column] if features[name] is RawType.STRING else column.tolist()
            for name, column in raw.items()
        }
    done = subprocess.run([sys.executable, "-c", ALONE], input=json.dumps(asked), capture_output=True, text=True, check=False, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    for key, folder in matrix.items():
        np.testing.assert_allclose(
            answers[str(folder / "model")], golden(folder), rtol=1e-5, atol=1e-5, err_msg=str(key)
        )


def test_every_trainer_learns(matrix: dict[tuple[str, str], Path]) -> None:
    from sluice.training.train import EVAL, GOLDEN_ROWS, rows_of

    for (data, trainer), folder in matrix.items():
        manifest, prediction = ModelManifest.load(folder / "model"), golden(folder)
        rows = rows_of(Examples.load(folder.parent / "examples"), EVAL, [manifest.label], GOLDEN_ROWS)
        label = np.array(rows[manifest.label].to_pylist())
        prediction = prediction[: len(label)]  # two made-up rows follow
        if data == "penguins":
            assert manifest.classes == ["Adelie", "Chinstrap", "Gentoo"]
            assert (np.array(manifest.classes)[prediction.argmax(axis=1)] == label).mean() > 0.9, trainer
        elif data == "body mass":
            assert ((prediction - label) ** 2).mean() < 0.4 * label.var(), trainer
        else:
            assert prediction[label == 1].mean() > prediction[label == 0].mean() + 0.03, trainer


def test_the_default_model_beats_logistic_regression_on_flights(tmp_path: Path, flights: Path) -> None:
    """On the same rows, with a paired interval: `make bench` prints the figures."""
    rows, features = flown(range(1, 2))
    examples = made.examples(tmp_path / "examples", rows)
    ours = made.trained(tmp_path / "default", examples, features, Label(column="late"), Trainer())
    theirs = made.trained(
        tmp_path / "logistic", examples, features, Label(column="late"),
        Trainer(name="sklearn", estimator="sklearn.linear_model.LogisticRegression", hyperparameters={"max_iter": 300}),
    )  # fmt: skip
    policy = ModelPolicy.model_validate({"rules": [{"metric": "auc", "superior_by": 0.0}], "resamples": 500})
    verdict, _ = evaluate(
        examples, model=ours / "model", champion=theirs / "model", champion_version=1, policy=policy,
        evaluation_out=tmp_path / "evaluation", report_out=tmp_path / "report.html",
    )  # fmt: skip
    (reason,) = [reason for reason in verdict.reasons if reason.rule.startswith("superior_by")]
    assert not reason.closes, reason.sentence
