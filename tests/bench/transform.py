"""Rows a second and core of the transform, beside Keras layers with `adapt`: `python -m tests.bench.transform [TFT_PYTHON]`.

18 features: ten numbers, eight categories. `TFT_PYTHON` names an interpreter with tensorflow-transform (an environment
of its own: its pins fit no other), whose figures are measured beside ours then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sluice.features.spec import Features
from sluice.features.transform import transform
from sluice.gates.data.policy import DataPolicy
from sluice.stages.runtime import quiet
from sluice.statistics.validate import validate
from tests import made

SIZES = (150_000, 1_500_000)
NUMBERS, CATEGORIES = [f"n{i}" for i in range(10)], [f"c{i}" for i in range(8)]


def table(rows: int) -> pa.Table:
    """Seeded rows: long-tailed numbers, categories of 10 to 400 values, and a label."""
    random = np.random.default_rng(0)
    columns = {name: random.lognormal(size=rows) for name in NUMBERS}
    for index, name in enumerate(CATEGORIES):
        values = np.array([f"{name}-{value}" for value in range(10 * (index + 1) ** 2 // 2 + 5)])
        columns[name] = values[random.integers(0, len(values), rows)]
    columns["label"] = random.integers(0, 2, rows)
    return pa.table(columns)


def ours(folder: Path, rows: int) -> float:
    """CPU seconds of `transform`, of all splits."""
    examples = made.examples(folder / "examples", table(rows))
    features = Features(numeric=NUMBERS, categorical=CATEGORIES)
    validate(
        examples, label="label", features=features, policy=DataPolicy(), schema=None, baseline=None, baseline_version=None,
        statistics_out=folder / "statistics", schema_out=folder / "schema", report_out=folder / "data.html",
    )  # fmt: skip
    from sluice.training.spec import Label

    start = time.process_time()
    transform(
        examples, statistics=folder / "statistics", schema=folder / "schema", features=features, label=Label(column="label"),
        preprocessing_out=folder / "preprocessing", transformed_out=folder / "transformed",
    )  # fmt: skip
    return time.process_time() - start


def adapted(folder: Path) -> float:
    """CPU seconds of Keras layers that are adapted to the data, and applied to it in batches of 10,000."""
    import keras
    import tensorflow as tf

    data = pa.concat_tables([pq.read_table(file) for file in sorted((folder / "examples").glob("*/*.parquet"))])
    start = time.process_time()
    numbers = np.stack([data[name].to_numpy() for name in NUMBERS], axis=1).astype(np.float32)
    texts = {name: tf.constant(data[name].to_pylist()) for name in CATEGORIES}
    normal = keras.layers.Normalization()
    normal.adapt(numbers)
    lookups = {name: keras.layers.StringLookup() for name in CATEGORIES}
    for name, lookup in lookups.items():
        lookup.adapt(texts[name])
    for begin in range(0, len(numbers), 10_000):
        part = slice(begin, begin + 10_000)
        np.save(folder / "numbers.npy", normal(numbers[part]).numpy())
        np.save(
            folder / "ids.npy",
            np.stack([lookup(texts[name][part]).numpy() for name, lookup in lookups.items()], axis=1),
        )
    return time.process_time() - start


def tft(python: str, folder: Path) -> float:
    """CPU seconds of TensorFlow Transform on Beam."""
    data = pa.concat_tables([pq.read_table(file) for file in sorted((folder / "examples").glob("*/*.parquet"))])
    pq.write_table(data, folder / "all.parquet")
    command = [
        python,
        str(Path(__file__).with_name("tft.py")),
        str(folder / "all.parquet"),
        ",".join(NUMBERS),
        ",".join(CATEGORIES),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["cpu"])


def main(python: str) -> None:
    """Print a line for each size."""
    quiet()
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            found = {"transform": ours(folder, rows), "Keras layers with adapt": adapted(folder)}
            if python:
                found["TensorFlow Transform on Beam"] = tft(python, folder)
            told = "; ".join(f"{name} {rows / seconds:,.0f} rows a CPU second" for name, seconds in found.items())
            print(f"{rows:>9,} rows: {told}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
