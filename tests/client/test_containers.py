"""Runs in containers: on a real engine where one answers, and on a stand-in that does what engines do to KFP's handler."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.client import catalog, containers
from sluice.client.containers import ContainerRun, prepared
from sluice.client.local import Step
from sluice.config.load import arguments, load
from sluice.errors import SluiceError
from sluice.promotion.ledger import Ledger

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("SLUICE_TEST_REGISTRY", "localhost/sluice")
PIPELINE = """
from kfp import compiler, dsl

@dsl.component(base_image="IMAGE/light:0.1.0", install_kfp_package=False)
def work(status: int) -> int:
    import os, sys
    print("· at work as", os.getuid(), file=sys.stderr)
    if status:
        print("the label is constant", file=sys.stderr, flush=True)
        sys.exit(status)
    return os.getuid()

@dsl.pipeline(name="two-steps")
def two_steps(status: int) -> int:
    first = work(status=status)
    return work(status=0).after(first).output

compiler.Compiler().compile(two_steps, OUT)
"""


class Silent:
    """Who watches, and keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, step: Step) -> None: ...
    def ended(self, step: Step) -> None: ...

    def said(self, step: Step, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(scope="module")
def two_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-steps")
    (folder / "pipeline.py").write_text(
        PIPELINE.replace("IMAGE", IMAGE).replace("OUT", repr(str(folder / "pipeline.yaml")))
    )
    subprocess.run([sys.executable, folder / "pipeline.py"], check=True)
    return folder / "pipeline.yaml"


@pytest.fixture
def engine() -> Iterator[Any]:
    """A real engine that has the images."""
    import docker

    try:
        found = docker.from_env()
        found.images.get(f"{IMAGE}/light:0.1.0")
    except docker.errors.DockerException as error:
        pytest.skip(f"no container engine with the images (make images): {error}")
    yield found
    found.close()


@pytest.mark.usefixtures("engine")
def test_a_failing_step_fails_and_a_good_one_is_not_root(two_steps: Path, tmp_path: Path) -> None:
    for attempt in range(5):
        with pytest.raises(SluiceError, match=r"(?s)step work: .*the label is constant"):
            ContainerRun(tmp_path / f"failing-{attempt}", Silent()).pipeline(two_steps, {"status": 3})
    run = ContainerRun(tmp_path / "good", seen := Silent())
    run.pipeline(two_steps, {"status": 0})
    assert [step.succeeded for step in run.steps] == [True, True]
    assert run.steps[-1].values["Output"] != 0
    assert seen.lines[0].startswith("at work as ")


def test_the_training_pipeline_ends_as_it_does_in_processes(engine: Any, flights: Path, tmp_path: Path) -> None:
    import docker

    try:
        engine.images.get(f"{IMAGE}/tensorflow:0.1.0")
    except docker.errors.ImageNotFound:
        pytest.skip("the TensorFlow image is not built (make images)")
    settings = {"ledger": str(tmp_path / "ledger"), "destination": str(tmp_path / "published"), "trainer.steps": 300,
                "source.uri": str(flights / "span-{SPAN}.parquet")}  # fmt: skip
    use_case = load(ROOT / "examples" / "flights", settings)
    spec, mounts = prepared(catalog.path("pipelines", "training"), use_case, tmp_path / "run")
    run = ContainerRun(tmp_path / "run", Silent(), mounts=mounts)
    run.pipeline(spec, arguments(use_case, "1"))
    assert [step.name for step in run.steps] == [
        "resolve",
        "ingest",
        "validate",
        "transform",
        "train",
        "evaluate",
        "probe",
        "push",
    ]
    champion = Ledger.at(str(tmp_path / "ledger")).champion()
    assert champion is not None
    assert champion.facts["image"] == f"{IMAGE}/light:0.1.0"
    assert (tmp_path / "published" / "1" / "saved_model.pb").exists()


@dataclass
class StandIn:
    """An engine whose containers exit with a status; a removed one is gone."""

    status: int
    missing: bool = False
    events: list[str] = field(default_factory=list)
    ran: dict[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> StandIn:
        return self

    containers = images

    def get(self, image: str) -> None:
        import docker

        if self.missing:
            raise docker.errors.ImageNotFound("no such image")

    def pull(self, image: str) -> None:
        import docker

        raise docker.errors.APIError("x", explanation="pull access denied")

    def run(self, image: str, command: list[str], **options: Any) -> StandIn:
        self.ran = options
        return self

    def logs(self, **_: Any) -> Iterator[bytes]:
        yield from (b"\xc2\xb7 half a li", b"ne\nthe label is", b" constant")

    def wait(self) -> dict[str, int]:
        self.events.append("waited")
        return {"StatusCode": self.status}

    def remove(self, **_: Any) -> None:
        self.events.append("removed")


COMMAND = [
    "sh",
    "-c",
    "x",
    "--executor_input",
    '{"outputs": {"outputFile": "/nowhere"}}',
    "--function_to_execute",
    "work",
]


@pytest.mark.parametrize("status", [0, 1, 3, 137])
def test_a_container_is_kept_until_its_exit_code_was_read(status: int, tmp_path: Path) -> None:
    stand_in, run = StandIn(status), ContainerRun(tmp_path, seen := Silent())
    log = io.StringIO()
    assert run.contain(stand_in, "image", COMMAND, {}, {}, log) is (status == 0)
    assert stand_in.events == ["waited", "removed"]
    assert "auto_remove" not in stand_in.ran
    assert stand_in.ran["user"].partition(":")[0] not in ("", "0")
    assert seen.lines == ["half a line"]
    assert "[work] the label is constant" in log.getvalue()
    assert run.steps[0].error == ("the label is constant" if status else "")


def test_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    run = ContainerRun(tmp_path, Silent())
    assert not run.contain(StandIn(0, missing=True), "registry/none:1", COMMAND, {}, {}, io.StringIO())
    assert (
        run.steps[0].error
        == "the image registry/none:1 is not here and cannot be pulled: pull access denied\n  build it: make images"
    )


def test_no_engine_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SluiceError, match="no container engine answers"):
        containers._engine()


def test_images_and_folders_of_a_use_case(tmp_path: Path) -> None:
    settings = {
        "ledger": str(tmp_path / "ledger"),
        "destination": f"{tmp_path}/a gs://bucket/b",
        "platform.registry": "registry.example/team",
    }
    use_case = load(ROOT / "examples" / "flights", settings)
    spec, mounts = prepared(catalog.path("pipelines", "training"), use_case, tmp_path)
    executors = yaml.safe_load(spec.read_text())["deploymentSpec"]["executors"].values()
    for container in (executor["container"] for executor in executors):
        assert container["image"].startswith("registry.example/team/")
        assert {"name": "SLUICE_IMAGE", "value": container["image"]} in container["env"]
    assert {path: mode for path, mode in mounts.items() if mode == "rw"} == {
        str(tmp_path / "ledger"): "rw",
        str(tmp_path / "a"): "rw",
    }
    assert list(mounts.values()).count("ro") == 1
