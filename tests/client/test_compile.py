"""What `make compile` makes: committed, complete, and named by registry and digest on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import sluice
from sluice.client.compile import Images, compile_all, compile_file
from sluice.errors import SluiceError

ROOT = Path(__file__).parents[2]
STAGES = {"evaluate", "ingest", "probe", "push", "refuse", "resolve", "train", "transform", "validate"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build")
    compile_all(ROOT, out, Images())
    return out


def test_build_is_what_compile_makes(compiled: Path) -> None:
    made = {path.relative_to(compiled): path for path in compiled.rglob("*.yaml")}
    committed = {
        path.relative_to(ROOT / "build"): path
        for kind in ("components", "pipelines")
        for path in (ROOT / "build" / kind).rglob("*.yaml")
    }
    assert made.keys() == committed.keys()
    for name, path in made.items():
        assert list(yaml.safe_load_all(path.read_text())) == list(yaml.safe_load_all(committed[name].read_text())), (
            f"{name}: run `make compile`"
        )


def test_the_editor_s_schema_is_what_compile_makes_and_takes_the_use_case(compiled: Path) -> None:
    made = (compiled / "sluice.schema.json").read_text()
    assert made == (ROOT / "build" / "sluice.schema.json").read_text(), "run `make compile`"
    schema = json.loads(made)
    use_case = yaml.safe_load((ROOT / "examples" / "flights" / "sluice.yaml").read_text())
    assert set(use_case) <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_every_stage_is_there(compiled: Path) -> None:
    assert {path.stem for path in (compiled / "components").glob("*.yaml")} == STAGES


def test_the_portable_build_is_one_document_and_installs_nothing(compiled: Path) -> None:
    for path in compiled.rglob("*.yaml"):
        documents = list(yaml.safe_load_all(path.read_text()))
        assert len(documents) == 1
        assert "pip install" not in path.read_text()
        images = {e["container"]["image"] for e in documents[0]["deploymentSpec"]["executors"].values()}
        assert images <= {f"sluice/light:{sluice.__version__}", f"sluice/tensorflow:{sluice.__version__}"}


def test_registry_tag_and_digest(tmp_path: Path) -> None:
    images = Images("registry.example/team", "1.2", {"light": "sha256:abc"})
    compile_file(ROOT / "pipelines" / "training.py", tmp_path, images)
    spec = yaml.safe_load((tmp_path / "training.yaml").read_text())
    found = {e["container"]["image"] for e in spec["deploymentSpec"]["executors"].values()}
    assert found == {"registry.example/team/light@sha256:abc", "registry.example/team/tensorflow:1.2"}


def test_every_step_is_told_the_image_it_runs_in(tmp_path: Path) -> None:
    compile_file(
        ROOT / "pipelines" / "training.py", tmp_path, Images("registry.example/team", digests={"light": "sha256:abc"})
    )
    spec = yaml.safe_load((tmp_path / "training.yaml").read_text())
    for executor in spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        assert {"name": "SLUICE_IMAGE", "value": container["image"]} in container["env"]


def test_a_file_without_a_pipeline(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(SluiceError, match="no component and no pipeline"):
        compile_file(tmp_path / "empty.py", tmp_path, Images())


def test_push_resolve_and_refuse_are_never_cached(compiled: Path) -> None:
    spec = yaml.safe_load((compiled / "pipelines" / "training.yaml").read_text())
    graphs = [spec["root"], *spec["components"].values()]
    tasks = {name: task for graph in graphs for name, task in graph.get("dag", {}).get("tasks", {}).items()}
    for name, task in tasks.items():
        if name.split("-")[0] in ("push", "refuse", "resolve"):
            assert not task["cachingOptions"].get("enableCache"), name


def test_components_and_pipelines_by_name() -> None:
    assert sluice.component("ingest").component_spec.inputs.keys() == {"source", "span", "split", "label"}
    assert "ledger" in sluice.pipeline("training").component_spec.inputs
    with pytest.raises(SluiceError, match="there are: evaluate, ingest"):
        sluice.component("digest")
