"""The probe: a fresh process on real exports, good and broken."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sluice.errors import SluiceError
from sluice.features.spec import Features
from sluice.gates.service.policy import ServicePolicy
from sluice.gates.verdict import Status
from sluice.serving.probe import probe
from sluice.serving.servers import process
from sluice.serving.servers.base import Process
from sluice.training import warmup
from sluice.training.spec import Label, Trainer
from tests import made

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    columns = {
        "x": [None if i % 29 == 0 else float(i % 17) for i in range(400)],
        "c": [("a", "b", None)[i % 3] for i in range(400)],
        "label": [i % 17 > 8 for i in range(400)],
    }
    examples = made.examples(folder / "examples", pa.table(columns))
    return made.trained(
        folder, examples, Features(numeric=["x"], categorical=["c"]), Label(column="label"), Trainer(steps=20)
    )


def closing(model: Path, golden: Path, **policy: Any) -> tuple[Status, set[str]]:
    verdict = probe(model=model, golden=golden, policy=ServicePolicy(**{"requests": 20, **policy}))
    return verdict.status, {reason.rule for reason in verdict.reasons if reason.closes}


def test_a_good_export_is_blessed_and_the_server_named(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_IMAGE", "registry/sluice/tensorflow@sha256:1")
    policy = ServicePolicy(requests=20, min_throughput=1, soak_seconds=0.5, soak_rate=20)
    verdict = probe(model=export / "model", golden=export / "golden", policy=policy)
    assert verdict.blessed, [reason.sentence for reason in verdict.reasons if reason.closes]
    assert verdict.evidence["server"].startswith("fresh process, tensorflow 2.")
    assert verdict.evidence["image"] == "registry/sluice/tensorflow@sha256:1"
    rules = [reason.rule for reason in verdict.reasons]
    assert rules.count("malformed") == 5
    assert {"golden", "warmup", "throughput", "soak", "p99", "memory", "load_seconds", "size", "load"} <= set(rules)


def test_golden_rows_hold_missing_values_and_a_category_never_seen(export: Path) -> None:
    golden = pq.read_table(export / "golden" / "golden.parquet")
    assert golden["c"].null_count > 0
    assert set(golden["c"].drop_null().to_pylist()) - {"a", "b"}
    assert golden["x"].null_count > 0


def test_an_export_that_answers_otherwise_is_refused(export: Path, tmp_path: Path) -> None:
    golden = pq.read_table(export / "golden" / "golden.parquet")
    other = golden.set_column(golden.num_columns - 1, "prediction", pc.add(golden["prediction"], 0.001))
    pq.write_table(other, tmp_path / "golden.parquet")
    assert closing(export / "model", tmp_path) == (Status.NOT_BLESSED, {"golden"})


def test_an_export_that_does_not_load_is_refused(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export / "model", tmp_path / "model")
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"broken")
    assert closing(tmp_path / "model", export / "golden") == (Status.NOT_BLESSED, {"load"})


def test_budgets(export: Path) -> None:
    budgets = {"max_p99_ms": 1e-3, "max_p50_ms": 1e-3, "max_size_mb": 1e-3, "min_throughput": 1e6}
    assert closing(export / "model", export / "golden", **budgets) == (
        Status.NOT_BLESSED,
        {"p50", "p99", "size", "throughput"},
    )


def test_a_server_that_takes_too_much_memory_is_stopped(export: Path) -> None:
    verdict = probe(model=export / "model", golden=export / "golden", policy=ServicePolicy(max_memory_mb=50))
    (reason,) = [reason for reason in verdict.reasons if reason.rule == "load"]
    assert "MiB of memory, 50 are allowed, and was stopped" in reason.sentence


def test_warm_up_requests_of_another_model_are_refused(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export / "model", tmp_path / "model")
    warmup.write(tmp_path / "model", "other", {"unknown": np.zeros(3, np.float32)})
    assert closing(tmp_path / "model", export / "golden") == (Status.NOT_BLESSED, {"warmup"})
    (tmp_path / "model" / warmup.WARMUP_FILE).write_bytes(b"no record")
    assert closing(tmp_path / "model", export / "golden") == (Status.NOT_BLESSED, {"warmup"})


def test_an_unknown_flavor_is_told(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export / "model", tmp_path / "model")
    file = tmp_path / "model" / "model.json"
    file.write_text(file.read_text().replace('"tensorflow"', '"crystal-ball"', 1))
    with pytest.raises(SluiceError, match="no server for the flavor 'crystal-ball'"):
        probe(model=tmp_path / "model", golden=export / "golden", policy=ServicePolicy())


FAULTY = """
import json, os, sys, time
print(json.dumps({"ready": "1"}), flush=True)
kept = []
for number, line in enumerate(sys.stdin):
    rows = json.loads(line).get("inputs", {})
    bad = not isinstance(rows, dict) or set(rows) != {"x", "c"} or not isinstance(rows["x"], list) or isinstance(rows["x"][0], list)
    if FAULT == "crash" and number == 30:
        sys.exit("segmentation fault")
    if FAULT == "hang" and number == 30:
        time.sleep(60)
    if FAULT == "leak":
        kept.append(os.urandom(1 << 20))
    if bad and FAULT != "lenient":
        print(json.dumps({"error": "no"}), flush=True)
    else:
        print(json.dumps({"outputs": [0.5] * len(rows.get("x", [0])) if isinstance(rows, dict) else [0.5]}), flush=True)
"""


@pytest.mark.parametrize(
    ("fault", "policy", "rule", "words"),
    [
        ("crash", {}, "load", "segmentation fault"),
        ("hang", {}, "load", "no answer within 1 s"),
        ("leak", {"soak_seconds": 2.0, "soak_rate": 50, "max_soak_growth_mb": 20}, "soak", "the server leaks memory"),
        ("lenient", {}, "malformed", "is answered, or brings the server down"),
    ],
)
def test_a_server_that_misbehaves(
    export: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    policy: dict[str, Any],
    rule: str,
    words: str,
) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY.replace("FAULT", repr(fault)))
    monkeypatch.setattr(process, "script", lambda _: script)
    monkeypatch.setattr(process, "ANSWER", 1.0)
    verdict = probe(model=export / "model", golden=export / "golden", policy=ServicePolicy(tolerance=1.0, **policy))
    assert not verdict.blessed
    assert any(reason.rule == rule and words in reason.sentence for reason in verdict.reasons if reason.closes)


def test_a_server_gets_no_secret_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    told = tmp_path / "told.json"
    code = f"import json, os, resource; json.dump([dict(os.environ), resource.getrlimit(resource.RLIMIT_CORE)], open({str(told)!r}, 'w'))"
    child = Process([sys.executable, "-c", f"import time; time.sleep(0.3); {code}"], 1e9)
    child.start()
    child.popen.wait()
    child.stop()
    environment, core = json.loads(told.read_text())
    assert core == [0, 0]
    assert "hush" not in environment.values()
    assert not Path(environment["HOME"]).exists()


@pytest.mark.usefixtures("kserve_here")
def test_kserve_answers_over_every_protocol(export: Path) -> None:
    policy = ServicePolicy(server="kserve", requests=20, min_throughput=1)  # type: ignore[arg-type]
    verdict = probe(model=export / "model", golden=export / "golden", policy=policy)
    assert verdict.blessed, [reason.sentence for reason in verdict.reasons if reason.closes]
    assert verdict.evidence["server"] == "kserve 0.21.0"
    subjects = {reason.subject for reason in verdict.reasons if reason.rule == "golden"}
    assert subjects == {"predictions over v1", "predictions over v2", "predictions over grpc"}
    assert sum(reason.rule == "malformed" for reason in verdict.reasons) == 15


@pytest.mark.usefixtures("kserve_here")
def test_kserve_with_a_model_that_does_not_load(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export / "model", tmp_path / "model")
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"broken")
    assert closing(tmp_path / "model", export / "golden", server="kserve", protocols=["v2"]) == (
        Status.NOT_BLESSED,
        {"load"},
    )


def test_kserve_s_environment_that_is_not_here_is_told(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_KSERVE_PYTHON", "/nowhere/python")
    with pytest.raises(SluiceError, match="its environment is not here"):
        closing(export / "model", export / "golden", server="kserve")


@pytest.mark.usefixtures("tensorflow_model_server")
def test_tensorflow_serving_answers_over_rest_and_grpc(export: Path) -> None:
    policy = ServicePolicy(server="tensorflow_serving", requests=20)  # type: ignore[arg-type]
    verdict = probe(model=export / "model", golden=export / "golden", policy=policy)
    assert verdict.blessed, [reason.sentence for reason in verdict.reasons if reason.closes]
    assert verdict.evidence["server"] == "TensorFlow ModelServer: stand-in"
    assert {reason.subject for reason in verdict.reasons if reason.rule == "golden"} == {
        "predictions over v1",
        "predictions over grpc",
    }


def test_tensorflow_serving_that_is_not_here_is_told(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(SluiceError, match="tensorflow_model_server is not on the PATH"):
        closing(export / "model", export / "golden", server="tensorflow_serving")
