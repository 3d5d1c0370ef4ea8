"""Statistics, schema, drift: TFDV's own numbers, and the data gate on real tables."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sluice.examples.manifest import Manifest
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
    ours = compute(lambda: data.to_batches(max_chunksize=1000), categorical={"c", "k"}).statistics
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


def same(one: object, two: object) -> None:
    """Equal counts, extremes and values; means to rounding; medians within the sketch's error."""
    from sluice.statistics.artifact import common_of, name_of

    ours, theirs = ({name_of(f): f for f in proto.features} for proto in (one, two))  # type: ignore[attr-defined]
    assert ours.keys() == theirs.keys()
    for name, feature in ours.items():
        other = theirs[name]
        assert common_of(feature).num_missing == common_of(other).num_missing
        if feature.HasField("string_stats"):
            assert feature.string_stats.unique == other.string_stats.unique
            pairs = [{b.label: b.sample_count for b in f.string_stats.rank_histogram.buckets} for f in (feature, other)]
            assert pairs[0] == pairs[1]
        elif common_of(feature).num_non_missing:
            for fact in ("mean", "std_dev", "min", "max"):
                assert getattr(feature.num_stats, fact) == pytest.approx(getattr(other.num_stats, fact))
            spread = feature.num_stats.max - feature.num_stats.min
            assert feature.num_stats.median == pytest.approx(other.num_stats.median, abs=0.05 * spread)


def test_shards_merge_to_the_same(tmp_path: Path) -> None:
    from sluice.statistics.compute import compute

    data = table(20_000)
    given = {"categorical": {"c", "k"}, "label": "label", "features": ("x", "c", "k")}
    whole, parts = (compute(lambda: data.to_batches(max_chunksize=1500), shards=n, **given) for n in (1, 3))  # type: ignore[arg-type]
    same(whole.statistics.proto, parts.statistics.proto)
    assert whole.statistics.histograms == parts.statistics.histograms
    assert whole.statistics.alone == parts.statistics.alone


def test_a_column_of_rare_values_does_not_rank_held_out_rows() -> None:
    """In the rows that its rates come from, a column of one row a value knows every label."""
    from sluice.statistics.compute import compute

    random = np.random.default_rng(0)
    label = random.integers(0, 2, 900)
    data = pa.table({
        "id": [f"row {n}" for n in range(900)], "leak": np.where(label == 1, "yes", "no"), "noise": random.normal(size=900),
        "label": label,
    })  # fmt: skip
    made = compute(data.to_batches, categorical=set(), label="label", features=("id", "leak", "noise"))
    assert made.statistics.alone["id"] == 1.0
    assert made.held_out["id"] == pytest.approx(0.5)
    assert made.held_out["noise"] == pytest.approx(0.5, abs=0.06)
    assert made.held_out["leak"] == 1.0
    turned = compute(
        data.take(np.arange(899, -1, -1)).to_batches, categorical=set(), label="label", features=("id", "leak")
    )
    assert turned.held_out == {name: made.held_out[name] for name in ("id", "leak")}


def test_a_shard_that_fails_is_told(tmp_path: Path) -> None:
    from sluice.statistics.compute import compute

    def broken() -> object:
        yield from table(100).to_batches()
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="the disk went away"):
        compute(broken, categorical={"c", "k"}, shards=2)  # type: ignore[arg-type]


def test_beam_agrees_with_the_pass_in_process(first: Path, tmp_path: Path) -> None:
    from sluice.statistics.artifact import Statistics

    here = validated(tmp_path / "here", table(seed=1), first)
    beam = validated(tmp_path / "beam", table(seed=1), first, beam=["--runner=FnApiRunner"])
    one, two = (Statistics.load(tmp_path / name / "statistics").split("train") for name in ("here", "beam"))
    same(one.proto, two.proto)
    assert one.histograms == two.histograms
    assert [(r.rule, r.subject, r.outcome) for r in here.reasons] == [
        (r.rule, r.subject, r.outcome) for r in beam.reasons
    ]


def test_statistics_by_slice_and_weight(tmp_path: Path) -> None:
    from sluice.statistics.artifact import Statistics

    weighted = table().append_column("w", pa.array(np.where(np.asarray(table()["flag"]), 3.0, 1.0)))
    validated(tmp_path, weighted, slices=["c"], weight="w")
    train = Statistics.load(tmp_path / "statistics").split("train")
    assert sorted(train.slices) == ["c_a", "c_b", "c_c"]
    assert sum(proto.num_examples for proto in train.slices.values()) == 4800
    assert train.proto.weighted_num_examples > 4800


def test_leaks_freshness_and_sharing_are_found(first: Path, tmp_path: Path) -> None:
    data = table(seed=5)
    leaked = data.set_column(
        0, "x", pa.array(np.asarray(data["label"]) * 10 + np.random.default_rng(0).normal(size=6000))
    )
    assert ("leakage", "x") in closing(validated(tmp_path / "leak", leaked, first))
    stale = validated(tmp_path / "stale", data, first, freshness={"column": "when", "days": 30})
    assert ("freshness", "when") in closing(stale)
    twice = pa.concat_tables([data, data])
    assert ("max_duplicates", "rows") in closing(validated(tmp_path / "twice", twice, first))


def test_a_label_may_be_absent_when_serving(first: Path, tmp_path: Path) -> None:
    from sluice.statistics.artifact import load_schema, save_schema
    from sluice.statistics.compute import compute
    from sluice.statistics.schema import anomalies, environments

    schema = environments(load_schema(first / "schema"), "label")
    save_schema(schema, tmp_path / "schema")
    serving = compute(table(seed=6).drop(["label"]).to_batches, categorical={"c", "k"}).statistics
    assert [a.feature for a in anomalies(serving, schema, "serving", "TRAINING")[0]] == ["label"]
    assert anomalies(serving, schema, "serving", "SERVING")[0] == []


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: install the package chromium to look at the report in a browser"
)
def test_the_report_opens_in_a_browser_without_network_or_errors(first: Path, tmp_path: Path) -> None:
    validated(tmp_path, table(seed=7, shift=0.5), first)
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
         "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=3000",
         "--dump-dom", f"file://{tmp_path / 'report.html'}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "NOT_BLESSED" in done.stdout
    assert done.stdout.count("<svg") >= 4
    assert "CONSOLE" not in done.stderr
    text = (tmp_path / "report.html").read_text()
    assert all(word not in text for word in ("<script", "http://", "https://"))


def test_what_became_of_the_rows_is_in_the_verdict_and_the_report(tmp_path: Path, first: Path) -> None:
    """And the report has one divergence of each feature: the verdict's."""
    from sluice.examples.dataset import Examples
    from sluice.statistics.validate import validate

    examples = made.examples(tmp_path / "examples", table(seed=1, shift=0.4))
    changed = Manifest(
        **{**examples.manifest.model_dump(), "rows_in": 6012, "quarantined": 12, "warnings": ["c looks like <names>"]}
    )
    changed.save(tmp_path / "examples")
    verdict = validate(
        Examples.load(tmp_path / "examples"), label="label", features=FEATURES, policy=DataPolicy(), schema=first / "schema",
        baseline=first / "statistics", baseline_version=1, statistics_out=tmp_path / "statistics",
        schema_out=tmp_path / "schema", report_out=tmp_path / "report.html",
    )  # fmt: skip
    assert verdict.evidence["rows"] == {"rows_in": 6012, "quarantined": 12, "left_out": 0}
    assert verdict.evidence["notes"][1:] == ["c looks like <names>", "columns that no feature uses: when, flag"]
    page = (tmp_path / "report.html").read_text()
    assert "12 of 6,012 rows could not be read" in page.replace("&#39;", "'")
    assert "c looks like &lt;names&gt;" in page
    for reason in verdict.reasons:
        if reason.rule in ("drift", "label_shift"):
            told = set(re.findall(rf"{reason.subject}(?: <span class=\"dim\">)? ?moved by ([\d.]+)", page))
            assert told == {f"{reason.observed:.4f}"}, reason.subject


def test_slices_that_tfdv_calls_the_same_are_both_kept(tmp_path: Path) -> None:
    from sluice.statistics.artifact import Statistics

    data = table(400)
    data = data.append_column("a", pa.array(["b_c"] * 100 + ["d"] * 300)).append_column("a_b", pa.array(["c"] * 400))
    validated(tmp_path, data, slices=["a", "a_b"])
    slices = Statistics.load(tmp_path / "statistics").split("train").slices
    assert {name: proto.num_examples for name, proto in slices.items()} == {"a_b_c": 80, "a_d": 240, "a_b_c_": 320}
