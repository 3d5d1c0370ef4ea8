"""The model gate: many predictions, resamples and slices on this machine, and TFMA's own path beside it.

Usage: python -m tests.bench.evaluate    (in the component environment; `make bench` runs it)
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sluice.evaluation.evidence import CHALLENGER, CHAMPION, Slices, gather
from sluice.evaluation.metrics import Rows
from sluice.evaluation.resample import Resamples  # noqa: F401 - imported once, outside the clock
from sluice.gates.model.evidence import OVERALL
from sluice.gates.model.judge import judge
from sluice.gates.model.policy import ModelPolicy

METRICS = ("auc", "accuracy", "log_loss", "precision", "recall")


def predictions(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    odds = random.normal(-1, 1.2, rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    one, two = (1 / (1 + np.exp(-odds - random.normal(0, s, rows))) for s in (0.6, 0.5))
    return label, one, two, random.integers(0, 20, rows)


def ours(rows: int, *, resamples: bool) -> float:
    """CPU seconds from predictions to verdict: 5 metrics, 21 slices, two models; with 1,000 paired resamples."""
    label, one, two, slice_of = predictions(rows)
    pieces = {OVERALL: np.arange(rows), **{f"k={k}": np.flatnonzero(slice_of == k) for k in range(20)}}
    rules = [{"metric": "auc", "non_inferior_by": 0.01}, {"metric": "auc", "non_inferior_by": 0.05, "slices": [["k"]]}]
    policy = ModelPolicy.model_validate(
        {"rules": rules, "metrics": METRICS, "uncertainty": "bootstrap" if resamples else "point"}
    )
    start = time.process_time()
    models = {CHALLENGER: Rows(label, one), CHAMPION: Rows(label, two)}
    slices = Slices(pieces, {("k",): tuple(name for name in pieces if name)})
    judge(gather(models, slices, policy, "binary", champion=1), policy, subjects={})
    return time.process_time() - start


def tfma(rows: int) -> float:
    """CPU seconds of `analyze_raw_data` for the same metrics and slices, one model, without resamples."""
    import tensorflow_model_analysis as model_analysis
    from google.protobuf import text_format
    from tensorflow_model_analysis.proto import config_pb2

    label, one, _, slice_of = predictions(rows)
    frame = pd.DataFrame({"label": label, "prediction": one, "k": slice_of.astype(str)})
    names = ("AUC", "BinaryAccuracy", "BinaryCrossEntropy", "Precision", "Recall")
    config = text_format.Parse(
        'model_specs { label_key: "label" prediction_key: "prediction" } slicing_specs {} slicing_specs { feature_keys: "k" } '
        "metrics_specs { " + " ".join(f'metrics {{ class_name: "{name}" }}' for name in names) + " }",
        config_pb2.EvalConfig(),
    )
    with tempfile.TemporaryDirectory() as scratch:
        start = time.process_time()
        model_analysis.analyze_raw_data(frame, config, output_path=str(Path(scratch)))
        return time.process_time() - start


def main() -> None:
    """Print both."""
    wall, cpu = time.perf_counter(), ours(1_000_000, resamples=True)
    wall, peak = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        f"1,000,000 predictions of two models, 1,000 paired resamples, 20 slices: {cpu:.1f} CPU s, {wall:.1f} s, peak {peak:,.0f} MiB"
    )
    point, theirs = ours(200_000, resamples=False), tfma(200_000)
    print(
        f"200,000 predictions, 5 metrics, 21 slices: ours (two models) {point:.2f} CPU s, analyze_raw_data (one model) {theirs:.1f}: {theirs / point:.0f} times"
    )


if __name__ == "__main__":
    main()
