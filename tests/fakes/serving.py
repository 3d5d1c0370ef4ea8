"""Predictions from published files, by the bare server in the component environment."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sluice import digest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-components" / "bin" / "python"

MAKE = """
import sys, tensorflow as tf
for number, folder in enumerate(sys.argv[1:], 1):
    module = tf.Module()
    module.weight = tf.Variable(float(number))
    serve = tf.function(lambda x, m=module: {"prediction": m.weight * x}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    tf.saved_model.save(module, folder, signatures={"serving_default": serve})
"""


def saved_models(*folders: Path) -> None:
    """Write real SavedModels: the n-th multiplies by n."""
    subprocess.run([PYTHON, "-c", MAKE, *folders], check=True, capture_output=True)


def predict(folder: Path, *values: float) -> tuple[float, ...]:
    """What the model in a folder predicts, loaded in a fresh process; the same bytes are loaded once."""
    return _predict(digest.of_tree(folder), values, _Unhashed(folder))


@dataclass(frozen=True)
class _Unhashed:
    """A folder that does not count for the cache."""

    folder: Path = field(compare=False)


@cache
def _predict(_: str, values: tuple[float, ...], given: _Unhashed) -> tuple[float, ...]:
    request = json.dumps({"inputs": {"x": values}}) + "\n"
    server: Any = subprocess.run(
        [PYTHON, ROOT / "sluice" / "serving" / "servers" / "bare_tensorflow.py", given.folder],
        input=request,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(json.loads(server.stdout.splitlines()[1])["outputs"])
