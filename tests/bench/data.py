"""The data gate: statistics and verdict here, and TFDV's own Beam path beside it, on the same rows in one run.

Usage: python -m tests.bench.data [ROWS...]    (in the component environment; default: 150000 1500000)
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sluice.examples.dataset import Examples
from sluice.examples.manifest import Manifest, SplitFacts
from sluice.features.spec import Features
from sluice.gates.data.drift import noise_floor
from sluice.gates.data.policy import DataPolicy
from sluice.statistics.artifact import Statistics
from sluice.statistics.compute import compute
from sluice.statistics.validate import validate

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"


def examples(rows: int, folder: Path) -> Examples:
    """So many flights as one split, in one file of many row groups."""
    frames = [pd.read_parquet(FLIGHTS / "data" / f"span-{m:02d}.parquet") for m in range(1, 13)]
    year = pd.concat(frames, ignore_index=True)
    index = np.random.default_rng(0).integers(0, len(year), rows)
    table = pa.Table.from_pandas(year.iloc[index], preserve_index=False)
    file = folder / "train" / "part-00000.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(table, file, row_group_size=65_536)
    table.to_pandas().to_csv(folder / "rows.csv", index=False)
    columns = {field.name: str(field.type) for field in table.schema}
    facts = {"train": SplitFacts.of(folder, "train")}
    Manifest(sources=[], columns=columns, splits=facts, split={}, rows_in=rows).save(folder)
    return Examples.load(folder)


def clock(work: object) -> tuple[float, object]:
    """CPU seconds of this process and its children, and the result."""

    def spent() -> float:
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in both)

    start = spent()
    made = work()  # type: ignore[operator]
    return spent() - start, made


def main() -> None:
    """Print rows, CPU seconds and ratios."""
    import tensorflow_data_validation as tfdv
    from apache_beam.options.pipeline_options import PipelineOptions

    features = Features.model_validate(yaml.safe_load((FLIGHTS / "sluice.yaml").read_text())["features"])
    categorical = {item.name for item in features.categorical}
    for rows in [int(size) for size in sys.argv[1:]] or [150_000, 1_500_000]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            held = examples(rows, folder / "examples")

            def gate(name: str, held: Examples = held, folder: Path = folder) -> None:
                base = folder / "first" if name != "first" else None
                validate(
                    held, label="late", features=features, policy=DataPolicy(), schema=base / "schema" if base else None,
                    baseline=base / "statistics" if base else None, baseline_version=1 if base else None,
                    statistics_out=folder / name / "statistics", schema_out=folder / name / "schema", report_out=folder / name / "r.html",
                )  # fmt: skip

            clock(lambda gate=gate: gate("first"))  # imports, and a baseline
            ours, _ = clock(lambda gate=gate: gate("second"))
            statistics, _ = clock(lambda held=held: compute(lambda: held.batches("train"), categorical=categorical))
            exact = Statistics.load(folder / "first" / "statistics").split("train").histograms
            floors, _ = clock(lambda exact=exact: [
                noise_floor(h.counts, h.counts, quantile=0.9995, resamples=200, seed=0) for h in exact.values()
            ])  # fmt: skip
            options = PipelineOptions(["--runner=FnApiRunner"])
            beam, _ = clock(lambda folder=folder, options=options: tfdv.generate_statistics_from_csv(
                str(folder / "examples" / "rows.csv"), pipeline_options=options))  # fmt: skip
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            print(
                f"{rows:>9,} rows: statistics and verdict {ours:.2f} CPU s, TFDV on Beam {beam:.1f}: {beam / ours:.0f} times; "
                f"statistics {statistics:.2f}, calibration {floors:.3f} ({floors / statistics:.0%}); peak {peak:,.0f} MiB", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
