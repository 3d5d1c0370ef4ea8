"""Small artifacts for tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.examples.dataset import Examples
from sluice.examples.manifest import Manifest, SplitFacts


def examples(folder: Path, table: pa.Table, every: int = 5) -> Examples:
    """An examples artifact of a table; every so many-th row is evaluated."""
    rows = range(table.num_rows)
    parts = {"train": [i for i in rows if i % every], "eval": [i for i in rows if not i % every]}
    facts = {}
    times = Counter(map(repr, zip(*(column.to_pylist() for column in table.columns), strict=True)))  # repr: nan is nan
    for name, index in parts.items():
        file = folder / name / "part-00000.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(table.take(index), file)
        facts[name] = SplitFacts.of(folder, name)
    Manifest(
        sources=[], columns={field.name: str(field.type) for field in table.schema}, splits=facts, split={},
        rows_in=table.num_rows, duplicates=table.num_rows - len(times), single=sum(1 for count in times.values() if count == 1),
    ).save(folder)  # fmt: skip
    return Examples.load(folder)


def trained(
    folder: Path, made: Examples, features: Any, label: Any, trainer: Any, champion: Path | None = None
) -> Path:
    """Validate, transform and train; returns the folder that holds statistics, schema, model, golden, ..."""
    from sluice.features.transform import transform
    from sluice.gates.data.policy import DataPolicy
    from sluice.statistics.validate import validate
    from sluice.training.train import train

    validate(
        made, label=label.column, features=features, policy=DataPolicy(), schema=None, baseline=None, baseline_version=None,
        statistics_out=folder / "statistics", schema_out=folder / "schema", report_out=folder / "data.html",
    )  # fmt: skip
    transform(
        made, statistics=folder / "statistics", schema=folder / "schema", features=features, label=label,
        preprocessing_out=folder / "preprocessing", transformed_out=folder / "transformed",
    )  # fmt: skip
    train(
        transformed=folder / "transformed", preprocessing=folder / "preprocessing", examples=made, trainer=trainer,
        label=label, model_out=folder / "model", golden_out=folder / "golden", report_out=folder / "train.html",
        champion=champion,
    )  # fmt: skip
    return folder
