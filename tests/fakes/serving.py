"""Predictions from published files, by the bare server in the component environment."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

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


@cache
def predict(folder: Path, *values: float) -> tuple[float, ...]:
    """What the model in a folder predicts, loaded in a fresh process."""
    request = json.dumps({"inputs": {"x": list(values)}}) + "\n"
    server: Any = subprocess.run(
        [PYTHON, ROOT / "sluice" / "serving" / "server.py", folder],
        input=request,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(json.loads(server.stdout.splitlines()[1])["outputs"])
