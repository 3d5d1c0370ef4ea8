"""Rows a CPU second of the transform, beside Keras layers with `adapt` and TensorFlow Transform on Beam.

18 features: ten numbers, eight categories. `python -m tests.bench.transform`; `make bench` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
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
ON_BEAM = 150_000
"""Rows on which TensorFlow Transform is measured: ten times as many would take minutes."""
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


def on_beam(folder: Path) -> float:
    """CPU seconds of TensorFlow Transform, which is fetched for this alone: nothing else of ours needs it."""
    release = version("tensorflow-data-validation").rpartition(".")[0]
    packages = [f"tensorflow-transform=={release}.*", "pydot<2", "pyparsing"]
    uv = Path(__file__).parents[2] / ".cache" / "uv" / "bin" / "uv"
    subprocess.run([uv, "pip", "install", "-q", "--no-deps", "--python", sys.executable, "--target", folder / "tft", *packages], check=True)  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.transform_tft", folder / "examples"], check=True, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(folder / "tft")},
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    """Print a line for each size."""
    quiet()
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            mine, layers = rows / ours(folder, rows), rows / adapted(folder)
            told = f"{rows:>9,} rows: transform {mine:,.0f} rows a CPU second; Keras layers with adapt {layers:,.0f}: {mine / layers:.1f} times"
            if rows == ON_BEAM:
                beam = rows / on_beam(folder)
                told += f"; TensorFlow Transform on Beam {beam:,.0f}: {mine / beam:.0f} times"
            print(told, flush=True)


if __name__ == "__main__":
    main()
