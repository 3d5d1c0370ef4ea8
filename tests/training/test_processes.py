"""Trainings in processes of their own: killed and begun again, and several that train one model."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sluice import digest
from sluice.client import environments
from sluice.training.spec import Label, Trainer
from tests import made
from tests.training.test_train import FEATURES, table

pytestmark = [pytest.mark.tf, pytest.mark.usefixtures("warm")]

TRAINER = {
    "name": "mlp", "steps": 500, "epochs": 100, "batch_size": 63, "dropout": 0.2, "validation": 0.2, "patience": 3,
    "checkpoint_steps": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    examples = made.examples(folder / "examples", table())
    (folder / "champion").mkdir()
    (folder / "champion" / "none.json").write_text("{}")
    return made.trained(folder, examples, FEATURES, Label(column="label"), Trainer(name="linear", steps=1))


def start(
    prepared: Path, out: Path, trainer: dict[str, object], *more: str, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [environments.python("tensorflow"), "-m", "tests.training.process", prepared, out, json.dumps(trainer), *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> str:
    """What it said, and last the model's metadata."""
    metadata, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return f"{said}{metadata}"


def killed(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGKILL, said


def test_a_training_that_is_killed_goes_on_to_the_same_weights(prepared: Path, tmp_path: Path) -> None:
    whole = start(prepared, tmp_path / "whole", TRAINER)
    kept = {**TRAINER, "checkpoints": str(tmp_path / "checkpoints")}
    killed(start(prepared, tmp_path / "killed", kept, "step 300"))
    assert not (tmp_path / "killed" / "model" / "model.json").exists()
    (checkpoint,) = (tmp_path / "checkpoints").rglob("*.npz")
    assert checkpoint.name == "step-000000200.npz"
    again = ended(start(prepared, tmp_path / "again", kept))
    assert "going on from the checkpoint at step 200" in again
    assert "step 100 of" not in again
    ended(whole)
    for same in ("model/variables", "golden"):
        assert digest.of_tree(tmp_path / "again" / same) == digest.of_tree(tmp_path / "whole" / same)
    assert (tmp_path / "again/model/model.json").read_text() == (tmp_path / "whole/model/model.json").read_text()
    assert not list((tmp_path / "checkpoints").rglob("*.npz"))


def test_two_workers_that_are_killed_go_on_to_the_model_of_one(prepared: Path, tmp_path: Path) -> None:
    trainer = {"name": "wide_and_deep", "steps": 250, "epochs": 100, "batch_size": 63}
    kept = {**trainer, "checkpoints": str(tmp_path / "checkpoints"), "checkpoint_steps": 100}
    for worker in workers(prepared, tmp_path, kept, "step 200"):
        killed(worker)
    said = [ended(worker) for worker in workers(prepared, tmp_path, kept)]
    assert all("going on from the checkpoint at step 100" in told for told in said)
    assert all("step 250 of" in told for told in said)
    assert not (tmp_path / "1").exists()  # the first writes, and no other
    first, second = (json.loads(told.splitlines()[-1]) for told in said)
    assert first["digest"] == digest.of_tree(tmp_path / "0" / "model")
    assert second == {}
    ended(start(prepared, tmp_path / "one", trainer))
    np.testing.assert_allclose(answers(tmp_path / "0"), answers(tmp_path / "one"), atol=1e-4)  # sums in another order


MIRRORED = """
import sys
from pathlib import Path

import tensorflow as tf

from sluice.training import devices
from tests.training.process import main

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
devices.find = lambda: devices.Devices(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), replicas=2)
main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
"""


def test_two_devices_of_one_machine_train_the_model_of_one(prepared: Path, tmp_path: Path) -> None:
    """Two that TensorFlow makes of the CPU stand for two GPUs; the batch does not divide by two."""
    trainer = {"name": "wide_and_deep", "steps": 150, "epochs": 100, "batch_size": 63, "class_weights": "balanced"}
    both = subprocess.Popen(
        [sys.executable, "-c", MIRRORED, prepared, tmp_path / "two", json.dumps(trainer)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    ended(both)
    ended(start(prepared, tmp_path / "one", trainer))
    np.testing.assert_allclose(answers(tmp_path / "two"), answers(tmp_path / "one"), atol=1e-4)


def answers(folder: Path) -> np.ndarray:
    return pq.read_table(folder / "golden" / "golden.parquet")["prediction"].to_numpy()


def workers(prepared: Path, out: Path, trainer: dict[str, object], *more: str) -> list[subprocess.Popen[str]]:
    hosts = [f"localhost:{port}" for port in free_ports(2)]
    return [
        start(prepared, out / str(index), trainer, *more,
              TF_CONFIG=json.dumps({"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}))
        for index in range(2)
    ]  # fmt: skip


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports
