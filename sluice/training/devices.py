"""Where a training runs: one process, several GPUs of one machine, or several workers that ``TF_CONFIG`` names."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

TF_CONFIG = "TF_CONFIG"


@dataclass(frozen=True)
class Devices:
    """What a training runs on.

    Attributes:
        strategy: of `tf.distribute`; None for one device.
        worker: position of this process among the workers; the first writes the model.
        workers: number of processes.
        replicas: number of devices of this process.
    """

    strategy: Any = None
    worker: int = 0
    workers: int = 1
    replicas: int = 1

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Variables made inside are mirrored on every device."""
        with self.strategy.scope() if self.strategy else contextlib.nullcontext():
            yield


def find() -> Devices:
    """The devices there are; must come before anything else is asked of TensorFlow.

    Raises:
        SluiceError: ``TF_CONFIG`` cannot be understood.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    worker, workers = _place(os.environ.get(TF_CONFIG, ""))
    if workers > 1:
        return Devices(tf.distribute.MultiWorkerMirroredStrategy(), worker, workers, max(1, len(gpus)))
    return Devices(tf.distribute.MirroredStrategy(), replicas=len(gpus)) if len(gpus) > 1 else Devices()


def _place(config: str) -> tuple[int, int]:
    """This process's position among the workers, and their number: the chief first, then the workers in order."""
    if not config:
        return 0, 1
    try:
        plain = json.loads(config)
        cluster = {job: len(hosts) for job, hosts in plain.get("cluster", {}).items()}
        kind, index = plain.get("task", {}).get("type", "worker"), int(plain.get("task", {}).get("index", 0))
    except (ValueError, AttributeError, TypeError) as error:
        raise SluiceError(f"not a cluster: {error}", where=TF_CONFIG, remedy=_EXAMPLE) from error
    workers = cluster.get("chief", 0) + cluster.get("worker", 0)
    if workers < 2:
        return 0, 1
    if kind not in ("chief", "worker"):
        raise SluiceError(f"a task of the type {kind!r} has no part in training here", where=TF_CONFIG, remedy=_EXAMPLE)
    if index >= cluster.get(kind, 0):
        raise SluiceError(f"there is no {kind} {index} in the cluster", where=TF_CONFIG, remedy=_EXAMPLE)
    return (0 if kind == "chief" else cluster.get("chief", 0) + index), workers


_EXAMPLE = 'give {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, or nothing'


def precision(asked: str, devices: Devices) -> str:
    """The Keras dtype policy: ``auto`` is what the GPU is fast in, and float32 without one.

    Raises:
        SluiceError: float16, whose loss scale one process alone keeps, on several devices.
    """
    import tensorflow as tf

    if asked == "mixed_float16" and devices.strategy:
        raise SluiceError("mixed_float16 is for one device", where="trainer.precision", remedy="use mixed_bfloat16")
    if asked != "auto":
        return asked
    gpus = tf.config.list_physical_devices("GPU")
    able = min(
        (tf.config.experimental.get_device_details(g).get("compute_capability", (0, 0)) for g in gpus), default=(0, 0)
    )
    if able >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if able >= (7, 0) and not devices.strategy else "float32"


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Layers made inside compute in this Keras dtype policy."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
