"""Transform and train as steps: a user's mistake ends them with one message of ours, and no traceback of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sluice import digest
from sluice.features.spec import Features
from sluice.modules import OURS
from sluice.stages import train, transform
from tests.faults.push.planted import small_disk
from tests.features.test_transform import Prepared, prepared
from tests.features.test_transform import table as every_kind

pytestmark = pytest.mark.tf

LABEL = {"column": "label"}
FEATURES = {"numeric": ["x", "tail"], "categorical": ["c"]}


class Port:
    """An artifact."""

    def __init__(self, path: Path) -> None:
        self.path, self.metadata = str(path), dict[str, Any]()

    def log_metric(self, metric: str, value: float) -> None:
        self.metadata[metric] = value


def transformed(held: Prepared, out: Path, features: dict[str, Any], label: dict[str, Any] | None = None) -> Path:
    """Run the stage."""
    transform.run(
        examples=Port(held.folder / "examples"), statistics=Port(held.folder / "statistics"), schema=Port(held.folder / "schema"),
        features=features, label=label or LABEL, preprocessing=Port(out / "preprocessing"), transformed=Port(out / "transformed"),
    )  # fmt: skip
    return out


def trained(held: Prepared, folder: Path, out: Path, trainer: dict[str, Any]) -> dict[str, Port]:
    """Run the stage on what `transformed` left in a folder."""
    none = folder / "no champion"
    none.mkdir(exist_ok=True)
    (none / "none.json").write_text("{}")
    ports = {name: Port(out / name) for name in ("model", "golden", "report", "metrics")}
    train.run(
        transformed=Port(folder / "transformed"), preprocessing=Port(folder / "preprocessing"),
        examples=Port(held.folder / "examples"), champion_model=Port(none), trainer=trainer, label=LABEL, **ports,
    )  # fmt: skip
    return ports


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepared(tmp_path_factory.mktemp("plain"), every_kind(), Features())


@pytest.fixture(scope="module")
def ready(plain: Prepared) -> Path:
    return transformed(plain, plain.folder, FEATURES)


Said = Callable[[Callable[[], Any]], tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What a step says when it ends with a mistake: what comes before our message (a traceback of theirs), and that."""

    def run(step: Callable[[], Any]) -> tuple[str, str]:
        with pytest.raises(SystemExit) as ended:
            step()
        assert ended.value.code == 1
        before, mark, message = capsys.readouterr().err.partition("✗ ")
        assert mark
        assert OURS not in before
        assert "Traceback" not in message
        return before, message

    return run


@pytest.mark.parametrize(
    ("features", "label", "message"),
    [
        ({"numeric": ["gone"]}, None, "transform: features: 'gone' is not a column of the examples\n  columns: x, c, at"),
        ({"numeric": ["empty"]}, None, "transform: features.numeric: empty: 'empty' has no value in the train split\n  take it out"),
        ({"numeric": ["x"]}, {"column": "same"}, "transform: label: same: the label has one value only: ['only']\n  a constant label"),
        ({"numeric": ["x"]}, {"column": "c"}, "transform: label: c: the label is missing in"),
        ({"numeric": [{"name": "x", "scailing": "none"}]}, None, "transform: parameter features: numeric.0.scailing: unknown key"),
        ({"datetime": ["note"]}, None, "transform: features.datetime: note: 'note' is no time, e.g. 'note "),
    ],
)  # fmt: skip
def test_bad_input_of_transform(
    plain: Prepared, tmp_path: Path, said: Said, features: dict[str, Any], label: dict[str, Any] | None, message: str
) -> None:
    before, told = said(lambda: transformed(plain, tmp_path, features, label))
    assert told.startswith(message)
    assert "Traceback" not in before


def test_a_class_that_only_the_evaluated_rows_have(tmp_path: Path, said: Said) -> None:
    data = every_kind()
    values = ["late" if value else "early" for value in data["label"].to_pylist()]
    values[0] = "never"  # row 0 is evaluated
    strange = prepared(tmp_path, data.set_column(9, "label", pa.array(values)), Features())
    _, told = said(lambda: transformed(strange, tmp_path, FEATURES))
    assert told.startswith("transform: label label in eval: the class 'never' was not in the train split\n  known classes: early, late;")  # fmt: skip


def test_an_infinite_value_to_predict(tmp_path: Path, said: Said) -> None:
    data = every_kind()
    values = np.where(np.arange(data.num_rows) == 7, np.inf, np.arange(data.num_rows) / 2)
    strange = prepared(tmp_path, data.set_column(9, "label", pa.array(values)), Features())
    _, told = said(lambda: transformed(strange, tmp_path, FEATURES))
    assert told.startswith("transform: label label in train: the label is infinite in 1 rows\n  ")


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"setps": 5}, "train: parameter trainer: setps: unknown key; did you mean 'steps'?\n"),
        ({"hidden": [64, 0]}, "train: parameter trainer: hidden.1: Input should be greater than or equal to 1"),
        ({"name": "mlp", "learning_rate": 1e30}, "train: trainer: the loss is not a number at step 2\n  lower trainer"),
        ({"class_weights": {"2": 1}}, "train: trainer.class_weights: the label has no class '2'\n  classes: 0, 1\n"),
        ({"name": "sklearn", "hyperparameters": {"trees": 1}}, "train: trainer.hyperparameters: HistGradientBoostingClassifier has no"),
        ({"name": "own", "code": "no_such_package"}, "train: no_such_package: there is no module 'no_such_package' here\n  install it"),
        ({"checkpoints": "ftp://host/folder"}, "train: ftp://host/folder: no store for ftp://\n"),
        ({"checkpoints": "/proc/none"}, "train: /proc/none: the folder is not there, and cannot be made: "),
    ],
)  # fmt: skip
def test_bad_input_of_train(
    plain: Prepared, ready: Path, tmp_path: Path, said: Said, trainer: dict[str, Any], message: str
) -> None:
    before, told = said(lambda: trained(plain, ready, tmp_path, trainer))
    assert told.startswith(message)
    assert "Traceback" not in before


RAISES = {
    "build": ("def build(inputs, hyperparameters):\n    return inputs['none']\n", "KeyError: 'none'"),
    "leaves": ("import sys\ndef build(inputs, hyperparameters):\n    sys.exit(0)\n", "SystemExit: 0"),
    "layer": (
        "import keras\nclass Odd(keras.layers.Layer):\n    def call(self, x, training=False):\n"
        "        if training:\n            raise ValueError('mine')\n        return x\n"
        "def build(inputs, hyperparameters):\n    return keras.layers.Dense(1)(Odd()(inputs['numbers']))\n",
        "ValueError: Exception encountered when calling Odd.call().",
    ),
    "network": (
        "import keras\nclass Odd(keras.Model):\n    def call(self, x):\n        raise ValueError('mine')\n"
        "def build(inputs, hyperparameters):\n    return Odd()\n",
        "ValueError: Exception encountered when calling Odd.call().",
    ),
    "fit": ("def fit(job, hyperparameters):\n    return 1 / 0\n", "ZeroDivisionError: division by zero"),
    "import": ("raise RuntimeError('not today')\n", "RuntimeError: not today"),
}  # fmt: skip


@pytest.mark.parametrize("name", RAISES)
def test_a_module_that_raises_in_training(plain: Prepared, ready: Path, tmp_path: Path, said: Said, name: str) -> None:
    text, error = RAISES[name]
    file = tmp_path / "mine.py"
    file.write_text(text)
    code = {"module": str(file), "sha256": digest.of_file(file)}
    before, told = said(lambda: trained(plain, ready, tmp_path, {"name": "own", "code": code, "steps": 5}))
    assert before.partition("Traceback")[2].splitlines()[1].startswith(f'  File "{file}"')
    assert told.startswith(f"train: {file}: ")
    assert told.splitlines()[0].endswith(f"your code raised {error}")
    assert told.splitlines()[1:] == ["  its traceback stands above"]


def test_a_preprocessing_that_raises(plain: Prepared, tmp_path: Path, said: Said) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def preprocess(features):\n    return {'x': features['none']}\n")
    code = {"module": str(file), "sha256": digest.of_file(file)}
    before, told = said(lambda: transformed(plain, tmp_path, {"numeric": ["x"], "preprocess": code}))
    assert "return {'x': features['none']}" in before
    assert told.splitlines()[0] == f"transform: {file}: preprocess: your code raised KeyError: 'none'"


@contextlib.contextmanager
def full(kibibytes: int) -> Iterator[Path]:
    """A folder on a disk of its own with so much room left."""
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk())
        except PermissionError as error:
            pytest.skip(f"a small file system cannot be mounted here: {error}")
        (disk / "ballast").write_bytes(b"\0" * (4096 - kibibytes << 10))
        yield disk


@pytest.mark.parametrize("kibibytes", [4, 16, 32, 48])
def test_a_disk_that_runs_full_in_transform(plain: Prepared, said: Said, kibibytes: int) -> None:
    with full(kibibytes) as disk:
        _, told = said(lambda: transformed(plain, disk, FEATURES))
        assert "the disk " in told
        assert told.endswith("  free some, or give the stage a larger disk, and run again\n")


@pytest.mark.parametrize("trainer", [{"steps": 5}, {"name": "sklearn"}], ids=["keras", "sklearn"])
@pytest.mark.parametrize("kibibytes", [4, 32, 64])
def test_a_disk_that_runs_full_in_train(
    plain: Prepared, ready: Path, said: Said, trainer: dict[str, Any], kibibytes: int
) -> None:
    with full(kibibytes) as disk:
        _, told = said(lambda: trained(plain, ready, disk, trainer))
        assert told.startswith("train: the disk is full")
        assert told.endswith("  free some, or give the stage a larger disk, and run again\n")


def test_no_room_for_checkpoints(plain: Prepared, ready: Path, tmp_path: Path, said: Said) -> None:
    with full(4) as disk:
        trainer = {
            "steps": 300,
            "epochs": 100,
            "batch_size": 64,
            "checkpoints": str(disk / "kept"),
            "checkpoint_steps": 100,
        }
        _, told = said(lambda: trained(plain, ready, tmp_path, trainer))
        assert told.startswith(f"train: trainer.checkpoints: {disk}/kept: checkpoints cannot be written: ")
        assert "No space left on device" in told


def test_a_good_training_fills_its_ports(plain: Prepared, ready: Path, tmp_path: Path) -> None:
    ports = trained(plain, ready, tmp_path, {"steps": 20, "epochs": 100, "validation": 0.2})
    assert ports["model"].metadata["digest"] == digest.of_tree(tmp_path / "model")
    assert ports["model"].metadata["framework"] == "tensorflow"
    assert {"steps", "loss", "validation_loss", "loss_step_000020"} <= {*ports["metrics"].metadata}
    assert "<svg" in (tmp_path / "report").read_text()
