"""Runs in containers: on a real engine where one answers, and on a stand-in that does what engines do to KFP's handler."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.client import catalog, containers
from sluice.client.compile import Images, compile_file
from sluice.client.containers import ContainerRun, prepared
from sluice.client.local import Run, Step
from sluice.config.load import arguments, load
from sluice.errors import SluiceError
from sluice.promotion.ledger import Ledger
from tests.engine import REGISTRY, engine, image

__all__ = ["engine"]

ROOT = Path(__file__).parents[2]
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
        PIPELINE.replace("IMAGE", REGISTRY).replace("OUT", repr(str(folder / "pipeline.yaml")))
    )
    subprocess.run([sys.executable, folder / "pipeline.py"], check=True)
    return folder / "pipeline.yaml"


ATTEMPTS = int(os.environ.get("SLUICE_TEST_ATTEMPTS", "5"))
"""How often a step has to fail: KFP's own handler takes a failure for a success once in a while."""


def test_a_failing_step_fails_and_a_good_one_is_not_root(engine: Any, two_steps: Path, tmp_path: Path) -> None:
    image(engine, "light")
    for attempt in range(ATTEMPTS):
        with pytest.raises(SluiceError, match=r"(?s)step work: .*the label is constant"):
            ContainerRun(tmp_path / f"failing-{attempt}", Silent()).pipeline(two_steps, {"status": 3})
    run = ContainerRun(tmp_path / "good", seen := Silent())
    run.pipeline(two_steps, {"status": 0})
    assert [step.succeeded for step in run.steps] == [True, True]
    assert run.steps[-1].values["Output"] != 0
    assert seen.lines[0].startswith("at work as ")


def test_the_training_pipeline_ends_as_it_does_in_processes(engine: Any, flights: Path, tmp_path: Path) -> None:
    tensorflow, light = image(engine, "tensorflow"), image(engine, "light")
    ends = {}
    for kind in ("processes", "containers"):
        folder = tmp_path / kind
        settings = {"ledger": str(folder / "ledger"), "destination": str(folder / "published"), "trainer.steps": 300,
                    "source.uri": str(flights / "span-{SPAN}.parquet")}  # fmt: skip
        use_case = load(ROOT / "examples" / "flights", settings)
        if kind == "processes":
            run, spec = Run(folder / "run", Silent()), catalog.path("pipelines", "training")
        else:
            spec, mounts = prepared(catalog.path("pipelines", "training"), use_case, folder / "run")
            run = ContainerRun(folder / "run", Silent(), mounts=mounts)
            assert set(re.findall(r"image: (\S+)", spec.read_text())) == {tensorflow, light}
        run.pipeline(spec, arguments(use_case, "1"))
        champion = Ledger.at(str(folder / "ledger")).champion()
        assert champion is not None
        assert (folder / "published" / "1" / "saved_model.pb").exists()
        verdicts = [
            json.loads((step.outputs["verdict"] / "verdict.json").read_text())
            for step in run.steps
            if "verdict" in step.outputs
        ]
        ends[kind] = [step.name for step in run.steps], [(item["gate"], item["status"]) for item in verdicts]
    assert ends["containers"] == ends["processes"]
    assert champion.facts["image"] == light


FOREIGN = """
import os, sys
sys.modules["sluice"] = None  # nothing of ours here
import docker, yaml
from kfp import components, local

pipeline, arguments, root, data = sys.argv[1:]
mounts = [docker.types.Mount(folder, folder, type="bind") for folder in (root, data)]
local.init(local.DockerRunner(user=str(os.getuid()), mounts=mounts), pipeline_root=root + "/artifacts")
components.load_component_from_file(pipeline)(**yaml.safe_load(open(arguments)))
"""


def test_the_compiled_pipeline_runs_by_kfp_alone(engine: Any, flights: Path, tmp_path: Path) -> None:
    """KFP's own DockerRunner, and a file: what a user has who installs nothing of ours."""
    for name in ("tensorflow", "light"):
        image(engine, name)
    settings = {"ledger": str(tmp_path / "ledger"), "destination": str(tmp_path / "published"), "trainer.steps": 50,
                "source.uri": str(flights / "span-{SPAN}.parquet"), "policies.model.rules": [{"metric": "auc", "at_least": 0.55}]}  # fmt: skip
    (tmp_path / "arguments.yaml").write_text(
        yaml.safe_dump(arguments(load(ROOT / "examples" / "flights", settings), "1"))
    )
    (tmp_path / "foreign.py").write_text(FOREIGN)
    file = next(
        path
        for path in compile_file(ROOT / "pipelines" / "training.py", tmp_path, Images(REGISTRY))
        if path.parent == tmp_path
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "foreign.py", file, tmp_path / "arguments.yaml", tmp_path, flights],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "published" / "1" / "saved_model.pb").exists()


@dataclass
class StandIn:
    """An engine whose containers exit with a status; a removed one is gone."""

    status: int
    missing: bool = False
    starts: bool = True
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
        import docker

        if not self.starts:
            raise docker.errors.APIError("x", explanation="statfs /nowhere: no such file or directory")
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


def test_a_container_that_does_not_start_is_told(tmp_path: Path) -> None:
    run = ContainerRun(tmp_path, Silent())
    assert not run.contain(StandIn(0, starts=False), "image", COMMAND, {}, {}, io.StringIO())
    assert run.steps[0].error.startswith("the container cannot be started: statfs /nowhere")


def test_no_engine_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SluiceError, match="no container engine answers"):
        containers._engine()


def test_images_and_folders_of_a_use_case(tmp_path: Path) -> None:
    settings = {
        "ledger": str(tmp_path / "ledger"),
        "destination": [f"{tmp_path}/a", "gs://bucket/b"],
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
