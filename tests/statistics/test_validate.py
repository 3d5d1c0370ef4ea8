"""Statistics, schema, drift: TFDV's own numbers, and the data gate on real tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.gates.verdict import Status, Verdict
from tests import made

pytestmark = pytest.mark.tf

FEATURES = Features(numeric=["x"], categorical=["c", "k"])


def table(rows: int = 6000, seed: int = 0, shift: float = 0.0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table({
        "x": pa.array(np.where(random.random(rows) < 0.05, np.nan, random.normal(shift, 1, rows)), from_pandas=True),
        "c": pa.array(random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])), "k": random.integers(0, 4, rows),
        "when": pa.array(random.integers(0, 10**15, rows), pa.timestamp("us")), "flag": random.random(rows) < 0.5,
        "label": random.integers(0, 2, rows),
    })  # fmt: skip


def validated(folder: Path, data: pa.Table, against: Path | None = None, **policy: object) -> Verdict:
    from sluice.statistics.validate import validate

    return validate(
        made.examples(folder / "examples", data), label="label", features=FEATURES, policy=DataPolicy.model_validate(policy),
        schema=against / "schema" if against else None, baseline=against / "statistics" if against else None,
        baseline_version=1 if against else None, statistics_out=folder / "statistics", schema_out=folder / "schema",
        report_out=folder / "report.html",
    )  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    assert validated(folder, table()).status is Status.BLESSED
    return folder


def closing(verdict: Verdict) -> set[tuple[str, str]]:
    return {(reason.rule, reason.subject.partition(" @")[0]) for reason in verdict.reasons if reason.closes}


def test_statistics_are_those_that_tfdv_computes(tmp_path: Path) -> None:
    """Batch by batch here, at once there: the same counts, moments and top values; quantiles are sketches."""
    import tensorflow_data_validation as tfdv

    from sluice.statistics.compute import as_features, compute

    data = table()
    ours = compute(data.to_batches(max_chunksize=1000), categorical={"c", "k"}).statistics
    frame = pa.Table.from_batches([as_features(b, {"c", "k"}) for b in data.to_batches()]).to_pandas()
    theirs = tfdv.generate_statistics_from_dataframe(frame)
    assert ours.proto.num_examples == theirs.datasets[0].num_examples == 6000
    for feature in theirs.datasets[0].features:
        mine = ours.feature(feature.path.step[0])
        if feature.HasField("string_stats"):
            assert mine.string_stats.unique == feature.string_stats.unique
            pairs = {b.label: b.sample_count for b in feature.string_stats.rank_histogram.buckets}
            assert {
                b.label: b.sample_count for b in mine.string_stats.rank_histogram.buckets if b.label in pairs
            } == pairs
        else:
            for name in ("mean", "std_dev", "min", "max"):
                assert getattr(mine.num_stats, name) == pytest.approx(getattr(feature.num_stats, name))
            assert mine.num_stats.common_stats.num_missing == feature.num_stats.common_stats.num_missing


def test_histograms_count_every_row_once(first: Path) -> None:
    from sluice.statistics.artifact import Statistics

    for histogram in Statistics.load(first / "statistics").split("train").histograms.values():
        assert sum(histogram.counts) + histogram.missing == 4800


def test_more_of_the_same_passes_without_a_word(first: Path, tmp_path: Path) -> None:
    verdict = validated(tmp_path, table(seed=1), first)
    assert verdict.blessed
    assert verdict.baseline == 1
    assert {reason.outcome for reason in verdict.reasons} == {"passed"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda t: t.drop(["x"]), ("schema", "x")),
        (lambda t: t.set_column(0, "x", pa.array(["text"] * t.num_rows)), ("schema", "x")),
        (lambda t: t.set_column(1, "c", pa.array(["NEW"] * t.num_rows)), ("schema", "c")),
        (lambda t: t.set_column(0, "x", pa.array([None] * t.num_rows, pa.float64())), ("max_missing", "x")),
        (lambda t: t.set_column(0, "x", pa.array(np.asarray(t["x"]) * 1.8 + 32)), ("drift", "x")),
        (lambda t: t.set_column(5, "label", pa.array([0] * t.num_rows)), ("label", "label")),
        (
            lambda t: t.set_column(5, "label", pa.array((np.arange(t.num_rows) % 20 == 0).astype(np.int64))),
            ("label_shift", "label"),
        ),
    ],
    ids=["gone", "type", "renamed values", "all missing", "unit", "constant label", "label balance"],
)
def test_planted_faults_close_the_gate(first: Path, tmp_path: Path, change: object, found: tuple[str, str]) -> None:
    verdict = validated(tmp_path, change(table(seed=2)), first)  # type: ignore[operator]
    assert verdict.status is Status.NOT_BLESSED
    assert found in closing(verdict)


def test_verdicts_are_the_same_byte_for_byte(first: Path, tmp_path: Path) -> None:
    one, two = (validated(tmp_path / name, table(seed=3, shift=0.3), first) for name in ("one", "two"))
    assert one.to_bytes() == two.to_bytes()


def test_a_given_schema_is_not_widened(first: Path, tmp_path: Path) -> None:
    validated(tmp_path, table(seed=4).set_column(1, "c", pa.array(["NEW"] * 6000)), first)
    assert (tmp_path / "schema" / "schema.pbtxt").read_text() == (first / "schema" / "schema.pbtxt").read_text()
