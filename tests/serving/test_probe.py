"""The probe: a fresh process on real exports, good and broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sluice.errors import SluiceError
from sluice.features.spec import Features
from sluice.gates.service.policy import ServicePolicy
from sluice.gates.verdict import Status
from sluice.serving.probe import probe
from sluice.training.spec import Label, Trainer
from tests import made

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    columns = {
        "x": [float(i % 17) for i in range(400)],
        "c": [("a", "b", None)[i % 3] for i in range(400)],
        "label": [i % 17 > 8 for i in range(400)],
    }
    examples = made.examples(folder / "examples", pa.table(columns))
    return made.trained(
        folder, examples, Features(numeric=["x"], categorical=["c"]), Label(column="label"), Trainer(steps=20)
    )


def closing(model: Path, golden: Path, **policy: float) -> tuple[Status, set[str]]:
    verdict = probe(model=model, golden=golden, policy=ServicePolicy(requests=20, **policy))
    return verdict.status, {reason.rule for reason in verdict.reasons if reason.closes}


def test_a_good_export_is_blessed_and_the_server_named(export: Path) -> None:
    verdict = probe(model=export / "model", golden=export / "golden", policy=ServicePolicy(requests=20))
    assert verdict.blessed
    assert verdict.evidence["server"].startswith("fresh process, tensorflow 2.")
    assert [r.rule for r in verdict.reasons].count("malformed") == 5


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
    status, rules = closing(export / "model", export / "golden", max_p99_ms=1e-3, max_memory_mb=1, max_size_mb=1e-3)
    assert (status, rules) == (Status.NOT_BLESSED, {"p99", "memory", "size"})


def test_an_unknown_flavor_is_told(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export / "model", tmp_path / "model")
    file = tmp_path / "model" / "model.json"
    file.write_text(file.read_text().replace('"tensorflow"', '"crystal-ball"', 1))
    with pytest.raises(SluiceError, match="no server for the flavor 'crystal-ball'"):
        probe(model=tmp_path / "model", golden=export / "golden", policy=ServicePolicy())
