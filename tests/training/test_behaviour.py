"""How a training behaves: it stops early, weighs classes, computes in half precision, begins with the champion's weights."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples.dataset import Examples
from sluice.features.preprocessing import Plan
from sluice.models import adapter
from sluice.models.manifest import ModelManifest, Task
from sluice.modules import UserCodeError
from sluice.training import batches, keras, loop
from sluice.training.contract import Curve, Job
from sluice.training.spec import Label, Trainer
from tests import made
from tests.training.test_train import FEATURES, table

pytestmark = pytest.mark.tf

LABEL = Label(column="label")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples of a binary task, and a champion trained on them."""
    folder = tmp_path_factory.mktemp("prepared")
    examples = made.examples(folder / "examples", table())
    return made.trained(folder, examples, FEATURES, LABEL, Trainer(steps=400, epochs=100, batch_size=64))


def train(prepared: Path, out: Path, champion: Path | None = None, **trainer: object) -> Path:
    """Train on what is prepared."""
    from sluice.training.train import train

    train(
        transformed=prepared / "transformed", preprocessing=prepared / "preprocessing",
        examples=Examples.load(prepared / "examples"), trainer=Trainer.model_validate(trainer), label=LABEL,
        model_out=out / "model", golden_out=out / "golden", report_out=out / "train.html", champion=champion,
    )  # fmt: skip
    return out


def golden(folder: Path) -> np.ndarray:
    return np.stack(pq.read_table(folder / "golden" / "golden.parquet")["prediction"].to_numpy())


def exported(folder: Path) -> np.ndarray:
    return adapter.load(folder / "model").predict(pq.read_table(folder / "golden" / "golden.parquet"))


def test_it_stops_early_and_keeps_the_best_weights(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"name": "mlp", "steps": 3000, "epochs": 1000, "batch_size": 64, "learning_rate": 0.02, "hidden": [64]}
    train(prepared, tmp_path / "patient", **given, validation=0.2, patience=3)
    said = capsys.readouterr().err
    losses = [float(loss) for loss in re.findall(r"([\d.]+) on rows held back", said)]
    assert 4 <= len(losses) < 20  # and not all 30
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    assert f"kept the weights of step {100 * (best + 1):,}" in said
    train(prepared, tmp_path / "short", **{**given, "steps": 100 * (best + 1)}, validation=0.2, patience=0)
    np.testing.assert_array_equal(golden(tmp_path / "patient"), golden(tmp_path / "short"))
    report = (tmp_path / "patient" / "train.html").read_text()
    assert report.count("<polyline") == 2
    assert "loss on rows held back" in report
    trained = ModelManifest.load(tmp_path / "patient" / "model").training
    assert (trained["steps_trained"], trained["step_kept"]) == (100 * len(losses), 100 * (best + 1))
    (note,) = trained["notes"]
    assert note.startswith(f"the training stopped early, after {100 * len(losses):,} of 3,000 steps")
    assert note in report
    assert "<th>steps, at most</th><td>3000</td>" in report
    assert f"<th>steps_trained</th><td>{100 * len(losses)}</td>" in report


@pytest.mark.parametrize(
    ("trainer", "rows", "steps"),
    [({}, 240, 500), ({}, 61_000, 2000), ({}, 20_000, 782), ({"steps": 100}, 240, 100), ({"min_steps": 1}, 266, 11)],
)
def test_steps_that_are_planned(trainer: dict[str, object], rows: int, steps: int) -> None:
    assert loop.planned(Trainer.model_validate(trainer), rows) == steps


@pytest.mark.parametrize(
    ("held", "kept", "total", "note"),
    [
        ([0.5, 0.4, 0.41, 0.42], 200, 1000, "stopped early, after 400 of 1,000 steps: .* lowest at step 200"),
        ([0.5, 0.4], 200, 200, "still falling at the last step, 200"),
        ([0.5, 0.499], 200, 200, ""),
        ([0.5, 0.4, 0.41], 200, 300, ""),
        ([0.5], 100, 100, "the training was short: 100 steps"),
        ([], 300, 300, ""),
    ],
)
def test_notes_on_a_training(held: list[float], kept: int, total: int, note: str) -> None:
    steps = [100 * (i + 1) for i in range(len(held) or 3)]
    told = loop.notes(Curve(steps, [0.5] * len(steps), held, kept), total)
    assert len(told) == bool(note)
    assert re.search(note, " ".join(told))


def test_defaults_train_a_small_table(tmp_path: Path) -> None:
    """266 rows: a model that is better than the best constant, on rows that it has not seen."""
    examples = made.examples(tmp_path / "examples", table(266))
    folder = made.trained(tmp_path, examples, FEATURES, LABEL, Trainer())
    held = pa.concat_tables([pa.Table.from_batches([batch]) for batch in examples.batches("eval")])
    label = np.asarray(held["label"].to_pylist(), np.float64)
    answer = np.clip(adapter.load(folder / "model").predict(held), 1e-7, 1 - 1e-7)
    loss = -(label * np.log(answer) + (1 - label) * np.log(1 - answer)).mean()
    share = label.mean()
    assert loss < 0.9 * -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert ModelManifest.load(folder / "model").training["steps_trained"] > 100


def test_too_few_rows_to_hold_some_back(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="480 rows are too few to hold back"):
        train(prepared, tmp_path, validation=0.002)


def test_class_weights_lift_the_class(prepared: Path, tmp_path: Path) -> None:
    given = {"name": "linear", "steps": 300, "epochs": 100, "batch_size": 64}
    plain = train(prepared, tmp_path / "plain", **given)
    heavy = train(prepared, tmp_path / "heavy", **given, class_weights={"1": 20.0})
    assert golden(heavy).mean() > golden(plain).mean() + 0.1


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_and_the_export_is_whole(prepared: Path, tmp_path: Path, precision: str) -> None:
    given = {"name": "mlp", "steps": 300, "epochs": 100, "batch_size": 64}
    train(prepared, tmp_path / "half", **given, precision=precision)
    whole = train(prepared, tmp_path / "whole", **given, precision="auto")
    assert 0 < np.abs(golden(tmp_path / "half") - golden(whole)).max() < 0.15
    np.testing.assert_allclose(exported(tmp_path / "half"), golden(tmp_path / "half"), atol=1e-6)
    import tensorflow as tf

    model = tf.saved_model.load(str(tmp_path / "half" / "model"))
    held = model.signatures["serving_default"]
    assert {v.dtype for v in held.variables} == {tf.float32}
    assert not [op for op in held.graph.get_operations() for t in op.outputs if t.dtype in (tf.float16, tf.bfloat16)]


def test_a_warm_start_begins_where_the_champion_stands(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other frequencies number the categories anew; the champion's embeddings go with the values."""
    old = table()
    keep = [i for i, c in enumerate(old["c"].to_pylist()) if c != "red" or i % 3 == 0]
    examples = made.examples(tmp_path / "examples", old.take(keep))
    folder = made.trained(
        tmp_path / "new",
        examples,
        FEATURES,
        LABEL,
        Trainer(steps=1, learning_rate=1e-9, warm_start=True),
        prepared / "model",
    )
    assert re.search(r"warm start: (\d+) of \1 weights are the champion's", capsys.readouterr().err)
    assert numbering(prepared) != numbering(folder)
    held = pq.read_table(folder / "golden" / "golden.parquet")
    champion = adapter.load(prepared / "model").predict(held)
    assert np.abs(golden(folder) - champion).mean() < 0.05  # means and deviations moved a little
    cold = made.trained(tmp_path / "cold", examples, FEATURES, LABEL, Trainer(steps=1, learning_rate=1e-9))
    assert np.abs(golden(cold) - champion).mean() > 0.2


def numbering(folder: Path) -> list[int]:
    import tensorflow as tf

    serve = tf.saved_model.load(str(folder / "preprocessing")).signatures["serving_default"]
    c, k = tf.constant(["red", "green", ""]), tf.constant(["1", "1", "1"])
    made = serve(c=c, k=k, x=tf.zeros(3), y=tf.zeros(3))
    return made["ids"].numpy()[:, 0].tolist()


def test_a_warm_start_that_cannot_be_says_why(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(prepared, tmp_path / "none", steps=1, warm_start=True)
    assert "no warm start: there is no champion" in capsys.readouterr().err
    train(prepared, tmp_path / "other", prepared / "model", name="linear", steps=1, warm_start=True)
    assert "no warm start: the champion's trainer is wide_and_deep" in capsys.readouterr().err


def test_warm_up_requests_are_the_model_s_own(prepared: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    from sluice.features.raw import arrays
    from sluice.training import warmup

    file = prepared / "model" / warmup.WARMUP_FILE
    logs = [prediction_log_pb2.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(file))]
    serve = tf.saved_model.load(str(prepared / "model")).signatures["serving_default"]
    answers = []
    for log in logs:
        request = log.predict_log.request
        assert request.model_spec.signature_name == "serving_default"
        answers.append(
            serve(**{n: tf.constant(tf.make_ndarray(p)) for n, p in request.inputs.items()})["prediction"].numpy()
        )
    assert [len(answer) for answer in answers] == [1] * 5 + [5]
    np.testing.assert_allclose(answers[-1], golden(prepared)[:5], atol=1e-6)
    before = file.read_bytes()
    manifest = ModelManifest.load(prepared / "model")
    rows = pq.read_table(prepared / "golden" / "golden.parquet")
    warmup.write(prepared / "model", manifest.label, arrays(rows, manifest.features))
    assert file.read_bytes() == before


@pytest.mark.parametrize("task", [Task.REGRESSION, Task.BINARY])
def test_memory_does_not_grow_with_the_data(
    prepared: Path, tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight times the rows take 300 MiB more on disk, and no more memory."""
    monkeypatch.setattr(batches, "WHOLE", 1 << 16)
    monkeypatch.setattr(batches, "PASS", 1 << 16)
    plan, peaks = Plan.load(prepared / "preprocessing"), []
    trainer = Trainer(
        steps=200, epochs=1000, validation=0.1, class_weights="off" if task is Task.REGRESSION else "balanced"
    )
    for rows in (2_000_000, 2_000_000, 16_000_000):  # twice: what is done once a process
        columns = {}
        for name, width in (("numbers", (len(plan.numbers),)), ("ids", (len(plan.ids),)), ("label", ())):
            kind = np.int32 if name == "ids" else np.float32
            array = np.lib.format.open_memmap(
                tmp_path / f"{name}-{rows}.npy", mode="w+", dtype=kind, shape=(rows, *width)
            )
            array[:1000] = 1  # the rest is a hole in the file
            columns[name] = np.load(tmp_path / f"{name}-{rows}.npy", mmap_mode="r")
        job = Job(
            plan, task, [] if task is Task.REGRESSION else ["0", "1"], columns, trainer, "", prepared / "preprocessing"
        )
        with own_memory() as peak:
            keras.train(job)
        peaks.append(peak())
    assert peaks[2] - peaks[1] < 32


@contextlib.contextmanager
def own_memory() -> Iterator[Callable[[], float]]:
    """MiB that this process has of its own at the most, and not of mapped files, which are the page cache's."""
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.wait(0.01):
            status = Path("/proc/self/status").read_text()
            seen.append(int(status.partition("RssAnon:")[2].split()[0]) / 1024)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield lambda: max(seen)
    finally:
        done.set()
        watch.join()


OWN = """
def build(inputs, hyperparameters, job):
    import keras
    columns = keras.ops.concatenate([inputs["numbers"], keras.ops.cast(inputs["ids"], "float32")], axis=1)
    hidden = keras.layers.Dense(hyperparameters["units"], activation="relu", kernel_regularizer="l2")(columns)
    return keras.layers.Dense(job.outputs)(hidden)
"""
OWN_SKLEARN = """
def build(inputs, hyperparameters):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), LogisticRegression(**hyperparameters))
"""
OWN_FIT = """
def fit(job, hyperparameters):
    from sklearn.ensemble import RandomForestClassifier
    from sluice.models.sklearn import frame
    forest = RandomForestClassifier(n_estimators=hyperparameters["trees"], random_state=job.trainer.seed)
    return forest.fit(frame(job.columns, job.plan), job.columns["label"].astype(int))
"""


OWN_MODEL = """
import keras


class Net(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.hidden, self.last = keras.layers.Dense(units, activation="relu"), keras.layers.Dense(1)

    def call(self, columns):
        return self.last(self.hidden(columns["numbers"]))


def build(inputs, hyperparameters):
    return Net(hyperparameters["units"])
"""
OWN_FUNCTIONAL = """
import keras


def build(inputs, hyperparameters):
    ids = keras.layers.CategoryEncoding(8, output_mode="multi_hot")(inputs["ids"])
    columns = keras.layers.Concatenate()([inputs["numbers"], ids])
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(hyperparameters["units"], "relu")(columns)))
"""
OWN_FITTED = """
import keras


def fit(job, hyperparameters):
    numbers = keras.Input((len(job.plan.numbers),), name="numbers")
    hidden = keras.layers.Dense(hyperparameters["units"], activation="relu")(numbers)
    network = keras.Model(numbers, keras.layers.Dense(job.outputs)(hidden))
    network.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    network.fit(job.columns["numbers"], job.columns["label"], epochs=30, verbose=0)
    return network
"""


def own(folder: Path, text: str) -> dict[str, object]:
    file = folder / "mine.py"
    file.write_text(text)
    return {"name": "own", "code": {"module": str(file), "sha256": digest.of_file(file)}}


@pytest.mark.parametrize(
    ("text", "more", "flavor"),
    [
        (
            OWN,
            {"hyperparameters": {"units": 16.0}, "steps": 300, "epochs": 100, "precision": "mixed_bfloat16"},
            "tensorflow",
        ),
        (OWN_SKLEARN, {"hyperparameters": {"C": 0.5}, "class_weights": "balanced"}, "sklearn"),
        (OWN_FIT, {"hyperparameters": {"trees": 20.0}}, "sklearn"),
        (
            OWN_MODEL,
            {"hyperparameters": {"units": 16}, "steps": 300, "epochs": 100, "learning_rate": 0.01},
            "tensorflow",
        ),
        (
            OWN_FUNCTIONAL,
            {"hyperparameters": {"units": 16}, "steps": 300, "epochs": 100, "learning_rate": 0.01},
            "tensorflow",
        ),
        (OWN_FITTED, {"hyperparameters": {"units": 16}}, "tensorflow"),
    ],
    ids=["keras", "sklearn", "fit", "a model class", "keras.Model", "keras fit"],
)
def test_a_model_of_the_user_s_own(
    prepared: Path, tmp_path: Path, text: str, more: dict[str, object], flavor: str
) -> None:
    folder = train(prepared, tmp_path, **own(tmp_path, text), **more)
    assert json.loads((folder / "model" / "model.json").read_text())["flavor"] == flavor
    np.testing.assert_allclose(exported(folder), golden(folder), atol=1e-5)
    label = Examples.load(prepared / "examples").table("eval")["label"].to_numpy()
    answers = golden(folder)[: len(label)]  # all 120 rows are golden, and two made-up ones follow
    assert ((answers > 0.5) == label).mean() > 0.7


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("x = 1", {}, "the module has neither build nor fit"),
        (OWN + OWN_FIT, {}, "the module has both build and fit"),
        ("def build(inputs, hyperparameters):\n    return 1\n", {}, "build gave int, which is no model"),
        (OWN.replace("job.outputs", "7"), {"hyperparameters": {"units": 2}}, r"has the shape \(None, 7\), and the task needs \(None, 1\)"),
        (OWN_FITTED.replace('"numbers")', '"zahlen")'), {"hyperparameters": {"units": 2}}, "the network takes 'zahlen', which is not among the inputs"),
        ("def build(inputs, hyperparameters):\n    import keras\n    return keras.Sequential([keras.layers.Dense(1)])\n", {},
         "the network does not take the inputs"),
        (OWN_FIT.replace('.astype(int))', '.astype(int) + 1)'), {"hyperparameters": {"trees": 2}}, r"was fitted to the classes \[1, 2\]"),
        (OWN_FIT.replace("Classifier", "Regressor"), {"hyperparameters": {"trees": 2}}, "is no classifier, and the task is binary"),
        (OWN_SKLEARN.replace("    return", "    class Mine(LogisticRegression): ...\n    return").replace("LogisticRegression(**", "Mine(**"), {},
         "the estimator holds parts that nobody vouches for"),
        (OWN_SKLEARN, {"steps": 7}, r"an estimator \(Pipeline\) does not go by steps: take out steps"),
    ],
)  # fmt: skip
def test_mistakes_in_a_module(prepared: Path, tmp_path: Path, text: str, more: dict[str, object], message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        train(prepared, tmp_path, **own(tmp_path, text), **more)


def test_a_module_that_raises_shows_its_own_traceback_then_our_line(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sluice.stages.runtime import stage

    given = own(tmp_path, "def build(inputs, hyperparameters):\n    return 1 / hyperparameters['zero']\n")
    with pytest.raises(UserCodeError):
        train(prepared, tmp_path, **given, hyperparameters={"zero": 0})
    with pytest.raises(SystemExit):
        stage(train)(prepared, tmp_path, **given, hyperparameters={"zero": 0})
    said = capsys.readouterr().err
    assert "return 1 / hyperparameters['zero']" in said
    assert "sluice/training" not in said
    assert said.strip().splitlines()[-2].endswith("your code raised ZeroDivisionError: division by zero")


def test_the_curve_among_kfp_s_metrics() -> None:
    from sluice.stages.train import _log
    from sluice.training.contract import Curve

    class Metrics:
        path, metadata = "", {}

        def log_metric(self, metric: str, value: float) -> None:
            self.metadata[metric] = value

    steps = list(range(100, 3100, 100))
    _log(Curve(steps, [1 / s for s in steps], [2 / s for s in steps], kept=2000), metrics := Metrics())
    assert metrics.metadata["steps"] == 2000
    assert (metrics.metadata["loss"], metrics.metadata["validation_loss"]) == (1 / 2000, 2 / 2000)
    assert metrics.metadata["loss_step_000100"] == 1 / 100
    assert metrics.metadata["steps_trained"] == 3000
    assert len(metrics.metadata) == 4 + 2 * 10


def test_a_table_without_ids_or_numbers(tmp_path: Path) -> None:
    from sluice.features.spec import Features

    rows = pa.table(
        {
            "x": [float(i) for i in range(100)],
            "c": ["ab"[i % 2] for i in range(100)],
            "label": [i % 2 for i in range(100)],
        }
    )
    examples = made.examples(tmp_path / "examples", rows)
    for name, features in (("numbers", Features(numeric=["x"])), ("ids", Features(categorical=["c"]))):
        for trainer in (Trainer(steps=5), Trainer(name="sklearn", estimator="sklearn.linear_model.LogisticRegression")):
            folder = made.trained(tmp_path / f"{name}-{trainer.name}", examples, features, LABEL, trainer)
            np.testing.assert_allclose(exported(folder), golden(folder), atol=1e-6)
