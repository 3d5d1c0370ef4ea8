"""Rows a second and core of the transform, beside Keras layers with `adapt`: `python -m tests.bench.transform`.

18 features: ten numbers, eight categories.
"""

from __future__ import annotations

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
TFT = 13_700
"""Rows a second of TensorFlow Transform on Beam for 18 features on the same kind of machine, measured once."""
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


def main() -> None:
    """Print a line for each size."""
    quiet()
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            mine, theirs = rows / ours(folder, rows), rows / adapted(folder)
            print(f"{rows:>9,} rows: transform {mine:,.0f} rows a CPU second; Keras layers with adapt {theirs:,.0f}: "
                  f"{mine / theirs:.1f} times; TensorFlow Transform on Beam {TFT:,} (not measured here): {mine / TFT:.0f} times")  # fmt: skip


if __name__ == "__main__":
    main()
