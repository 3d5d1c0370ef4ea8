"""What `make compile` makes: committed, complete, and named by registry and digest on request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import sluice
from sluice.client.cli import app
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
    for path in [*compiled.glob("components/*.yaml"), *compiled.glob("pipelines/*.yaml")]:
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


@pytest.mark.parametrize("digest", ["light", "light=sha256:abc", "=sha256:" + "a" * 64])
def test_a_digest_that_is_none_is_told(digest: str) -> None:
    with pytest.raises(SluiceError, match="is not NAME=sha256:"):
        CliRunner().invoke(app, ["compile", "--digest", digest], catch_exceptions=False)


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
    assert sluice.component("ingest").component_spec.inputs.keys() >= {"source", "span", "split", "label"}
    assert "ledger" in sluice.pipeline("training").component_spec.inputs
    with pytest.raises(SluiceError, match="there are: evaluate, ingest"):
        sluice.component("digest")


CONFIGURED = """
resources:
  train: {memory: 32Gi, accelerator: NVIDIA_TESLA_T4, accelerators: 1, retries: 2, cache: false}
platform:
  registry: registry.example/team
  digests: {tensorflow: "sha256:DIGEST"}
  kubernetes:
    secrets:
      - {name: store, env: {key: AWS_SECRET_ACCESS_KEY}, steps: [ingest, push]}
      - {name: signing, mount: /secrets}
    volumes: [{claim: data, mount: /data, steps: [ingest]}]
    node_selector: {pool: cpu}
    tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
    pull_secrets: [registry]
    timeout_seconds: 3600
    labels: {team: flights}
    annotations: {sidecar.istio.io/inject: "false"}
""".replace("DIGEST", "a" * 64)


@pytest.fixture(scope="module")
def kubeflow(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Kubeflow build of a configured use case: pipeline, pods by executor."""
    folder = tmp_path_factory.mktemp("configured")
    text = (ROOT / "examples" / "flights" / "sluice.yaml").read_text() + CONFIGURED
    (folder / "sluice.yaml").write_text(text)
    command = [
        sys.executable,
        "-m",
        "sluice.client.cli",
        "compile",
        "--config",
        str(folder),
        "--out",
        str(folder / "out"),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    spec, pods = yaml.safe_load_all((folder / "out" / "pipelines" / "kubeflow" / "training.yaml").read_text())
    return spec, pods["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_every_step_has_limits(compiled: Path, kubeflow: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for spec in (yaml.safe_load((compiled / "pipelines" / "training.yaml").read_text()), kubeflow[0]):
        for name, executor in spec["deploymentSpec"]["executors"].items():
            limits = executor["container"]["resources"]
            assert limits["resourceCpuLimit"], name
            assert limits["resourceMemoryLimit"], name


def test_resources_retries_and_caching_of_a_step(kubeflow: tuple[dict[str, Any], dict[str, Any]]) -> None:
    spec, _ = kubeflow
    limits = spec["deploymentSpec"]["executors"]["exec-train"]["container"]["resources"]
    assert (limits["resourceCpuLimit"], limits["resourceMemoryLimit"]) == ("4", "32Gi")
    assert limits["accelerator"] == {
        "resourceCount": "1",
        "resourceType": "NVIDIA_TESLA_T4",
        "count": "1",
        "type": "NVIDIA_TESLA_T4",
    }
    tasks = {
        name: task
        for _, component in spec["components"].items()
        for name, task in component.get("dag", {}).get("tasks", {}).items()
    }
    assert tasks["train"]["retryPolicy"]["maxRetryCount"] == 2
    assert tasks["train"]["cachingOptions"] == {}
    assert "retryPolicy" not in tasks["evaluate"]
    assert tasks["evaluate"]["cachingOptions"] == {"enableCache": True}


def test_pods_of_the_kubeflow_build(kubeflow: tuple[dict[str, Any], dict[str, Any]]) -> None:
    spec, pods = kubeflow
    assert pods.keys() == spec["deploymentSpec"]["executors"].keys()
    ingest, train = pods["exec-ingest"], pods["exec-train"]
    assert [item["secretName"] for item in ingest["secretAsEnv"]] == ["store"]
    assert "secretAsEnv" not in train
    assert ingest["pvcMount"][0]["mountPath"] == "/data"
    assert "pvcMount" not in train
    for pod in pods.values():
        assert [item["secretName"] for item in pod["secretAsVolume"]] == ["signing"]
        assert pod["securityContext"] == {"runAsUser": "10001", "runAsNonRoot": True}
        assert pod["nodeSelector"] == {"labels": {"pool": "cpu"}}
        assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
        assert [item["secretName"] for item in pod["imagePullSecret"]] == ["registry"]
        assert pod["activeDeadlineSeconds"] == "3600"
        assert pod["podMetadata"] == {
            "labels": {"team": "flights"},
            "annotations": {"sidecar.istio.io/inject": "false"},
        }
    images = {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()}
    assert images == {
        f"registry.example/team/light:{sluice.__version__}",
        f"registry.example/team/tensorflow@sha256:{'a' * 64}",
    }


def test_a_component_and_a_pipeline_by_url() -> None:
    from kfp import components

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ROOT / "build"))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        ingest = components.load_component_from_url(f"{here}/components/ingest.yaml")
        training = components.load_component_from_url(f"{here}/pipelines/training.yaml")
        server.shutdown()
    assert ingest.component_spec == sluice.component("ingest").component_spec
    assert training.name == "training"


WHEEL = """
import sluice
from kfp import compiler, dsl
ingest, training = sluice.component("ingest"), sluice.pipeline("training")

@dsl.pipeline(name="mine")
def mine(source: dict):
    ingest(source=source)

compiler.Compiler().compile(mine, "mine.yaml")
print(sluice.__file__, training.name)
"""


def test_the_wheel_carries_the_compiled_yaml(tmp_path: Path) -> None:
    """Built and installed as a user installs it, and used outside of any checkout."""
    tool, place = ROOT / ".cache" / "uv" / "bin" / "uv", tmp_path / "installed"
    subprocess.run([tool, "build", "-q", "--wheel", "--out-dir", tmp_path, ROOT], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([tool, "pip", "install", "-q", "--no-deps", "--target", place, wheel], check=True, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", WHEEL], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(place / "sluice" / "__init__.py"), "training"]
    assert (place / "sluice" / "compiled" / "pipelines" / "kubeflow" / "training.yaml").exists()
    assert "exec-ingest" in (tmp_path / "mine.yaml").read_text()


def test_kfp_takes_both_builds(compiled: Path) -> None:
    from kfp import components

    for path in (compiled / "pipelines" / "training.yaml", compiled / "pipelines" / "kubeflow" / "training.yaml"):
        assert components.load_component_from_file(str(path)).name == "training"
