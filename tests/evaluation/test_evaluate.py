"""Evaluation of real exports: slices, engines, waivers, files that TFMA reads, a report that a browser shows."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.evaluation.scoring import score
from sluice.examples.dataset import Examples
from sluice.features.spec import Features
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.model.waiver import Waiver
from sluice.gates.verdict import Status, Verdict
from sluice.models.adapter import load
from sluice.training.spec import Label, Trainer
from tests import made

pytestmark = pytest.mark.tf


def table(rows: int = 8000, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    x, side = random.normal(size=rows), random.choice(["a", "b", "c"], rows, p=[0.5, 0.45, 0.05])
    label = (random.random(rows) < 1 / (1 + np.exp(-1.5 * x - (side == "b")))).astype(np.int64)
    return pa.table(
        {"x": x, "side": side, "user": random.integers(0, 900, rows), "w": random.random(rows), "label": label}
    )


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples, and models of two seeds."""
    folder = tmp_path_factory.mktemp("evaluate")
    examples = made.examples(folder / "examples", table())
    for seed in (0, 1):
        made.trained(
            folder / str(seed), examples, Features(numeric=["x"], categorical=["side"]), Label(column="label"),
            Trainer(name="linear", steps=200, learning_rate=0.05, seed=seed),
        )  # fmt: skip
    return folder


def judged(
    line: Path, out: Path, champion: bool = True, split: str = "eval", champion_statistics: Path | None = None, **policy: Any
) -> Verdict:  # fmt: skip
    from sluice.evaluation.evaluate import evaluate

    rules = policy.pop("rules", [{"metric": "auc", "at_least": 0.7}, {"metric": "auc", "non_inferior_by": 0.02}])
    verdict, _ = evaluate(
        Examples.load(line / "examples"), model=line / "0" / "model", champion=line / "1" / "model" if champion else None,
        champion_version=3 if champion else None, policy=ModelPolicy.model_validate({"rules": rules, **policy}),
        evaluation_out=out / "evaluation", report_out=out / "report.html", split=split, champion_statistics=champion_statistics,
    )  # fmt: skip
    return verdict


def test_a_good_challenger_is_blessed_the_same_byte_for_byte(line: Path, tmp_path: Path) -> None:
    one, two = (judged(line, tmp_path / name, slices=[["side"]]) for name in ("one", "two"))
    assert one.blessed
    assert one.baseline == 3
    assert one.to_bytes() == two.to_bytes()
    for file in ("eval_config.json", "metrics-00000-of-00001.tfrecord", "predictions.parquet"):
        assert (tmp_path / "one" / "evaluation" / file).read_bytes() == (
            tmp_path / "two" / "evaluation" / file
        ).read_bytes()


def trained_on(line: Path, folder: Path, share: float) -> Path:
    """Statistics of a champion that was trained on a share of the evaluation rows."""
    from sluice import parts
    from sluice.examples import hashing, row_hashes

    rows = Examples.load(line / "examples").table("eval").combine_chunks().to_batches()[0]
    hashes = np.unique(hashing.hashed(rows, rows.schema.names).to_numpy())
    file = folder / "row_hashes" / "train.u64"
    file.parent.mkdir(parents=True)
    hashes[: round(share * len(hashes))].astype("<u8").tofile(file)
    facts = row_hashes.TrainedRows(
        columns={field.name: str(field.type) for field in rows.schema}, hash_version=hashing.VERSION, split="nothing that is known",
        file=parts.describe(folder, file, round(share * len(hashes))),
    )  # fmt: skip
    (file.parent / "row_hashes.json").write_bytes(facts.to_bytes())
    return folder


@pytest.mark.parametrize(
    ("share", "status"), [(0.0, Status.BLESSED), (0.01, Status.BLESSED), (0.05, Status.INCONCLUSIVE)]
)
def test_rows_that_the_champion_was_trained_on_are_counted(
    line: Path, tmp_path: Path, share: float, status: Status
) -> None:
    verdict = judged(line, tmp_path, champion_statistics=trained_on(line, tmp_path / "statistics", share))
    (reason,) = [reason for reason in verdict.reasons if reason.rule == "unseen"]
    assert f"was trained on {round(share * 1600)} of the 1,600 evaluation rows" in reason.sentence
    assert verdict.status is status
    assert verdict.evidence["comparison"]["champion_trained_on"] == round(share * 1600)


def test_a_champion_whose_rows_are_not_known_is_told(line: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    verdict = judged(line, tmp_path, champion_statistics=tmp_path / "old")
    (reason,) = [reason for reason in verdict.reasons if reason.rule == "unseen"]
    assert "is unknown: it was promoted by a release that kept no hashes" in reason.sentence
    assert verdict.blessed
    assert reason.sentence in (tmp_path / "report.html").read_text()


def test_a_verdict_names_the_split_that_was_scored(line: Path, tmp_path: Path) -> None:
    examples = Examples.load(line / "examples")
    for split in ("eval", "train"):
        verdict = judged(line, tmp_path / split, split=split)
        assert verdict.blessed
        assert verdict.splits == {split: examples.judged(split)}
        assert verdict.subjects["predictions"] == digest.of_file(
            tmp_path / split / "evaluation" / "predictions.parquet"
        )


@pytest.mark.parametrize("engine", ["vectorised", "tfma"])
def test_a_part_that_was_changed_is_not_scored(line: Path, tmp_path: Path, engine: str) -> None:
    from sluice.evaluation import beam

    shutil.copytree(line / "examples", tmp_path / "examples")
    part = tmp_path / "examples" / "eval" / "part-00000.parquet"
    part.write_bytes(part.read_bytes() + b" ")
    examples, policy = Examples.load(tmp_path / "examples"), ModelPolicy(rules=({"metric": "auc", "at_least": 0.7},))  # type: ignore[arg-type]
    model = line / "0" / "model"
    ways = {
        "tfma": lambda: beam.analyze(examples, "eval", {"challenger": model}, policy, tmp_path / "tfma"),
        "vectorised": lambda: score({"challenger": load(model)}, examples, "eval", policy),
    }
    with pytest.raises(SluiceError, match=r"eval/part-00000\.parquet was changed after it was written"):
        ways[engine]()


def test_slices_crosses_and_bins(line: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    judged(line, tmp_path, slices=[["side"], ["x"], ["side", "x"]], bins={"x": [-1, 1]})
    import tensorflow_model_analysis as tfma

    names = {
        ", ".join(f"{k.column}={k.bytes_value.decode()}" for k in m.slice_key.single_slice_keys): m
        for m in tfma.load_metrics(str(tmp_path / "evaluation"))
    }
    assert {"", "side=a", "x=..-1]", "x=(-1, 1]", "x=(1..", "side=c, x=(1.."} <= set(names)
    counts = {
        n: next(v.value.double_value.value for v in m.metric_keys_and_values if v.key.name == "example_count")
        for n, m in names.items()
    }
    assert counts[""] == pq.read_table(tmp_path / "evaluation" / "predictions.parquet").num_rows == 1600
    assert sum(counts[n] for n in ("x=..-1]", "x=(-1, 1]", "x=(1..")) == 1600


def test_tfma_reads_what_is_written(line: Path, tmp_path: Path) -> None:
    import tensorflow_model_analysis as tfma

    judged(line, tmp_path, champion=False, slices=[["side"]])
    result = tfma.load_eval_result(str(tmp_path / "evaluation"))
    overall = dict(result.slicing_metrics)[()][""][""]
    assert overall["example_count"]["doubleValue"] == 1600
    assert 0.7 < overall["auc"]["doubleValue"] < 1
    assert [list(spec.feature_keys) for spec in result.config.slicing_specs] == [[], ["side"]]


def test_tfma_on_beam_gives_the_same_verdict_and_values(line: Path, tmp_path: Path) -> None:
    rules = [
        {"metric": "auc", "at_least": 0.7}, {"metric": "log_loss", "non_inferior_by": 0.02},
        {"metric": "accuracy", "at_least": 0.6, "slices": [["side"]]},
    ]  # fmt: skip
    point = {"uncertainty": "point", "rules": rules, "min_slice_rows": 50}
    ours = judged(line, tmp_path / "ours", **point)
    theirs = judged(line, tmp_path / "theirs", engine="tfma", tfma=["BalancedAccuracy"], **point)
    assert (theirs.status, theirs.baseline) == (ours.status, ours.baseline), [
        r.sentence for r in theirs.reasons if r.closes
    ]
    assert [(r.rule, r.subject, r.outcome) for r in ours.reasons] == [
        (r.rule, r.subject, r.outcome) for r in theirs.reasons
    ]
    for mine, other in zip(ours.reasons, theirs.reasons, strict=True):
        if isinstance(mine.observed, float):
            assert mine.observed == pytest.approx(other.observed, abs=1e-6)
    import tensorflow_model_analysis as tfma

    metrics = next(iter(tfma.load_metrics(str(tmp_path / "theirs" / "evaluation" / "tfma")))).metric_keys_and_values
    assert any(pair.key.name.startswith("balanced_accuracy") for pair in metrics)


def test_weights_and_groups_count(line: Path, tmp_path: Path) -> None:
    plain, weighted, grouped = (
        judged(line, tmp_path / name, **extra)
        for name, extra in (("plain", {}), ("weighted", {"weight": "w"}), ("grouped", {"group": "user"}))
    )
    values = [next(r.observed for r in v.reasons if r.rule == "at_least") for v in (plain, weighted, grouped)]
    assert values[0] != values[1]
    assert values[0] == values[2]
    assert plain.digest != grouped.digest


def test_the_champion_itself_is_nothing_to_push(line: Path, tmp_path: Path) -> None:
    shutil.copytree(line / "examples", tmp_path / "examples")
    for name in ("0", "1"):
        shutil.copytree(line / "0" / "model", tmp_path / name / "model")
    assert {r.rule for r in judged(tmp_path, tmp_path / "out").reasons if r.closes} == {"identical"}


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"slices": [["airline"]]}, "'airline' is not a column"),
        ({"slices": [["x"]]}, "has 1,600 slices"),
        ({"weight": "side"}, "could not convert"),
    ],
)
def test_mistakes(line: Path, tmp_path: Path, policy: dict[str, Any], message: str) -> None:
    with pytest.raises((SluiceError, ValueError), match=message):
        judged(line, tmp_path, **policy)


def key_pair() -> tuple[Any, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return key, base64.b64encode(key.public_key().public_bytes_raw()).decode()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.BLESSED),
        ({"rules": ("floor",)}, Status.NOT_BLESSED),
        ({"rules": ("at_least: auc",)}, Status.BLESSED),
        ({"model": "sha256:" + "0" * 64}, Status.NOT_BLESSED),
        ({"expires": datetime.now(UTC) - timedelta(hours=1)}, Status.NOT_BLESSED),
        ({"forged": True}, Status.NOT_BLESSED),
        ({"edited": True}, Status.NOT_BLESSED),
    ],
    ids=["valid", "another rule", "rule and subject", "another model", "expired", "another key", "edited"],
)
def test_a_waiver_counts_for_its_model_and_rules_only(
    line: Path, tmp_path: Path, change: dict[str, Any], status: Status
) -> None:
    key, public = key_pair()
    forged, edited = change.pop("forged", False), change.pop("edited", False)
    fields = {
        "model": digest.of_tree(line / "0" / "model"), "rules": ("at_least",), "reason": "agreed with the risk board", "by": "ann",
        "expires": datetime.now(UTC) + timedelta(days=1), **change,
    }  # fmt: skip
    waiver = Waiver.model_validate(fields).signed(key_pair()[0] if forged else key)
    if edited:
        waiver = waiver.model_copy(update={"reason": "agreed with nobody at all"})
    (tmp_path / "waivers").mkdir()
    (tmp_path / "waivers" / "one.json").write_text(waiver.model_dump_json())
    verdict = judged(
        line,
        tmp_path,
        rules=[{"metric": "auc", "at_least": 0.99}],
        waivers=str(tmp_path / "waivers"),
        waiver_keys=[public],
    )
    assert verdict.status is status
    if status is Status.BLESSED:
        waived = next(r for r in verdict.reasons if r.rule == "at_least")
        assert "waived by ann until" in waived.sentence
        assert verdict.evidence["waivers"][0]["reason"] == "agreed with the risk board"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: install the package chromium to look at the report in a browser"
)
def test_the_report_opens_in_a_browser_without_network_or_errors(line: Path, tmp_path: Path) -> None:
    judged(line, tmp_path, slices=[["side"]])
    log = tmp_path / "net.json"
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
         "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=3000",
         f"--log-net-log={log}", "--dump-dom", f"file://{tmp_path / 'report.html'}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "BLESSED" in done.stdout
    assert done.stdout.count("<svg") == 3
    assert "CONSOLE" not in done.stderr
    text = (tmp_path / "report.html").read_text()
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text
