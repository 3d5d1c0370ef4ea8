"""Submission to Vertex AI and to Kubeflow: strict stand-ins, the real clients, faults included."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sluice.client.cli import app
from sluice.client.submission import command
from sluice.client.submission import kubeflow as kubeflow_pipelines
from tests.client.services import DIGESTS, ROOT, STEPS, Result, forget_credentials, no_credentials, started
from tests.fakes.kubeflow import Kubeflow
from tests.fakes.vertex_pipelines import VertexPipelines


def test_a_run_is_submitted_and_followed_to_its_end(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    done = sluice("submit", name, "--span", "2-4", "--set", "trainer.steps=77", "--key", "build-42", "--wait")
    assert done.code == 0, done.out
    assert "submitted: " in done.out
    assert {line.split()[1] for line in done.out.splitlines() if line.startswith("✓")} == STEPS
    assert ": succeeded after" in done.out
    (run,) = started(api)
    given = run["runtimeConfig"]["parameterValues"] if name == "vertex" else run["runtime_config"]["parameters"]
    assert (given["span"], given["trainer"]["steps"], given["ledger"]) == ("2-4", 77, "gs://data/ledger")
    assert given["facts"]["by"]


def test_what_vertex_gets(vertex_ai: VertexPipelines, sluice: Callable[..., Result]) -> None:
    sluice("submit", "vertex", "--key", "one")
    (job,) = vertex_ai.jobs.values()
    assert list(vertex_ai.jobs) == ["projects/acme/locations/europe-west4/pipelineJobs/flights-one"]
    assert job["serviceAccount"] == "runner@acme"
    assert job["network"] == "projects/1/global/networks/n"
    assert job["encryptionSpec"] == {"kmsKeyName": "projects/acme/k"}
    assert job["labels"]["team"] == "flights"
    images = {e["container"]["image"] for e in job["pipelineSpec"]["deploymentSpec"]["executors"].values()}
    assert images == {f"europe-docker.pkg.dev/acme/sluice/{image}@{digest}" for image, digest in DIGESTS.items()}


def test_what_kubeflow_gets(kubeflow: Kubeflow, sluice: Callable[..., Result]) -> None:
    sluice("submit", "kubeflow", "--key", "one", "--set", "platform.kubernetes.node_selector={pool: cpu}")
    (run,) = kubeflow.runs.values()
    pods = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert all(pod["nodeSelector"] == {"labels": {"pool": "cpu"}} for pod in pods.values())
    assert list(kubeflow.experiments) == ["flights"]


def test_the_same_key_starts_nothing_twice(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    first = sluice("submit", name, "--key", "Build 42/main")
    again = sluice("submit", name, "--key", "Build 42/main")
    assert first.out.startswith("submitted: ")
    assert again.out.startswith("already submitted: ")
    assert first.out.split()[1] == again.out.split()[2]
    assert sluice("submit", name, "--key", "Build 43/main").out.startswith("submitted: ")
    assert sluice("submit", name).code == sluice("submit", name).code == 0
    assert len(started(api)) == 4


def test_a_dry_run_prints_the_request_and_sends_nothing(
    service: tuple[str, Any], sluice: Callable[..., Result]
) -> None:
    name, api = service
    done = sluice("submit", name, "--dry-run", "--key", "k")
    request = json.loads(done.out)
    assert "flights-k" in (request.get("pipelineJobId"), request.get("display_name"))
    assert api.requests == []
    assert "let-me-in" not in done.out


def test_a_dry_run_needs_no_service(
    use_case: Path, sluice: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth.default", no_credentials)
    forget_credentials()
    assert sluice("submit", "vertex", "--dry-run").code == 0
    assert sluice("submit", "kubeflow", "--dry-run", "--set", "platform.kubeflow.host=http://127.0.0.1:9").code == 0


def test_an_answer_that_is_lost(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    api.fail("POST .*(pipelineJobs|runs)$", 503, "upstream", times=1, lost=True)
    done = sluice("submit", name)
    if done.code:  # Google's client may ask again by itself
        assert done.code == 7
        (key,) = re.findall(r"with --key (\S+) no run is started twice", done.out)
        done = sluice("submit", name, "--key", key)
    assert done.out.startswith("already submitted: "), done.out
    assert len(started(api)) == 1


def test_an_answer_about_a_schedule_that_is_lost(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    api.fail("POST .*(schedules|recurringruns)$", 503, "upstream", times=1, lost=True)
    assert sluice("schedule", name, "0 3 * * 1").code == 7
    assert sluice("schedule", name, "0 3 * * 1").out.startswith("already scheduled: ")
    assert len(api.schedules if name == "vertex" else api.recurring) == 1


def test_an_image_that_is_not_there(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    api.absent.add(f"europe-docker.pkg.dev/acme/sluice/tensorflow@{DIGESTS['tensorflow']}")
    done = sluice("submit", name, "--wait")
    assert done.code == 5
    assert "push the images (make images), and check platform.registry, tag and digests" in done.out
    assert "push the images" in sluice("status", name, done.out.split()[1]).out


def test_a_run_that_fails_half_way(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    api.fails["train"] = "the loss is not a number at step 12"
    done = sluice("submit", name, "--key", "k", "--wait")
    assert done.code == 5
    assert "✗ train: the loss is not a number at step 12" in done.out
    run = done.out.split()[1]
    assert f"see its log: sluice logs {name} {run}" in done.out
    assert sluice("status", name, run).code == 5
    api.log |= (
        {"train": ["· epoch 1", "✗ train: the loss is not a number"]}
        if name == "vertex"
        else {f"{run}-train": "· epoch 1\n✗ train: x"}
    )
    assert "[train] · epoch 1" in sluice("logs", name, run).out
    assert "no step 'trian'\n  steps: " in sluice("logs", name, run, "trian").out


def test_status_and_cancel(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, _ = service
    run = sluice("submit", name, "--key", "k").out.split()[1]
    assert sluice("status", name, run).out.startswith(f"{run}: running")
    assert sluice("cancel", name, run).out == f"{run}: cancelled\n"
    assert sluice("status", name, run).code == 6
    assert sluice("cancel", name, run).out == f"{run}: cancelled\n"


def test_schedules(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    name, api = service
    done = sluice("schedule", name, "0 3 * * 1")
    assert done.out.startswith("scheduled: ")
    if name == "vertex":
        (made,) = api.schedules.values()
        assert made["cron"] == "0 3 * * 1"
        assert made["maxConcurrentRunCount"] == "1"
    else:
        (made,) = api.recurring.values()
        assert made["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    run = done.out.split()[1]
    again = sluice("schedule", name, "0 3 * * 1")
    assert again.out.startswith(f"already scheduled: {run}\n")
    assert f"to replace it: sluice cancel {name} {run}" in again.out
    other = sluice("schedule", name, "0 3 * * 5").out.split()[1]
    assert sluice("cancel", name, run).out == f"{run}: ended\n"
    assert sluice("schedule", name, "0 3 * * 1").out.split()[1] != other
    gone = sluice("cancel", name, "schedules/77")
    assert (gone.code, "not there" in gone.out) == (1, True)
    assert "is no cron expression" in sluice("schedule", name, "weekly").out


def test_an_experiment_takes_the_run(vertex_ai: VertexPipelines, sluice: Callable[..., Result]) -> None:
    for key in ("one", "two"):
        assert sluice("submit", "vertex", "--key", key, "--set", "platform.vertex.experiment=nightly").code == 0
    store = "projects/acme/locations/europe-west4/metadataStores/default/contexts"
    assert vertex_ai.contexts[f"{store}/nightly"]["schemaTitle"] == "system.Experiment"
    assert vertex_ai.children == {f"{store}/nightly": [f"{store}/flights-one", f"{store}/flights-two"]}


def test_inside_the_cluster(
    use_case: Path, sluice: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a host: Kubeflow's own service, by the pod's own token, which is read again when it has changed."""
    token = tmp_path / "token"
    token.write_text("the pod's")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with Kubeflow(token="the pod's", namespaces=("team",)).running() as service:
        monkeypatch.setattr(kubeflow_pipelines, "IN_CLUSTER", service.url)
        inside = ("--key", "k", "--set", "platform.kubeflow.namespace=team")
        assert sluice("submit", "kubeflow", *inside).out.endswith("submitted: run-1\n")
        token.write_text("an old one")
        done = sluice("submit", "kubeflow", *inside)
        monkeypatch.setattr(command.time, "sleep", lambda _: token.write_text(service.token))
        token.write_text("renewed")
        service.token = "renewed"
        assert sluice("submit", "kubeflow", "--wait", *inside).code == 0
    assert (done.code, len(service.runs)) == (1, 1)
    assert "the token is missing or has expired" in done.out
    assert "inside the cluster mount the service account's token" in done.out


def test_a_volume_that_is_mounted_is_reached(kubeflow: Kubeflow, sluice: Callable[..., Result]) -> None:
    volume = "platform.kubernetes.volumes=[{claim: data, mount: /data}]"
    assert sluice("submit", "kubeflow", "--set", volume, "--set", "ledger=/data/ledger").code == 0


OWN = """
from kfp import compiler, dsl

@dsl.component(base_image="python:3.13")
def say(word: str) -> str:
    return word

@dsl.pipeline(name="own")
def own(name: str):
    say(word=name)

compiler.Compiler().compile(own, FILE)
"""


def test_a_pipeline_of_one_s_own_and_one_for_another_target(
    vertex_ai: VertexPipelines, sluice: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    (tmp_path / "own.py").write_text(OWN.replace("FILE", repr(str(file))))
    subprocess.run([sys.executable, tmp_path / "own.py"], check=True)
    assert "names no registry" in sluice("submit", "vertex", "--pipeline", str(file)).out
    file.write_text(file.read_text().replace("python:3.13", "docker.io/library/python:3.13"))
    done = sluice("submit", "vertex", "--pipeline", str(file))
    assert "images are named by tag" in done.out
    (job,) = vertex_ai.jobs.values()
    assert job["runtimeConfig"]["parameterValues"] == {"name": "flights"}
    build = ROOT / "build" / "pipelines" / "kubeflow" / "training.yaml"
    file.write_text(build.read_text().replace("image: sluice/", "image: registry.example/sluice/"))
    assert "has a second document" in sluice("submit", "vertex", "--pipeline", str(file)).out
    assert "no such file" in sluice("submit", "vertex", "--pipeline", "nowhere.yaml").out


PAGES = {"vertex": "docs/vertex.md", "kubeflow": "docs/kubeflow.md"}


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_true_word_by_word(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their platform section, put into the flights' use case, and every command they show, in order."""
    api = request.getfixturevalue("vertex_ai" if name == "vertex" else "kubeflow")
    monkeypatch.setattr(command, "POLL", 0.0)
    text = (ROOT / PAGES[name]).read_text()
    content = yaml.safe_load((ROOT / "examples" / "flights" / "sluice.yaml").read_text())
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S):
        content |= yaml.safe_load(block)
    api.project = "my-project"
    if name == "kubeflow":
        content["platform"]["kubeflow"]["host"] = api.url
        monkeypatch.setenv("KUBEFLOW_TOKEN", "let-me-in")
    (tmp_path / "flights").mkdir()
    (tmp_path / "flights" / "sluice.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    commands = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
        for line in block.splitlines()
        if line.startswith("sluice ")
    ]
    assert len(commands) >= 6
    run = schedule = ""
    for line in commands:
        given = shlex.split(line.replace("RUN", run).replace("SCHEDULE", schedule), comments=True)[1:]
        done = CliRunner().invoke(app, given)
        assert done.exit_code == 0, f"{line}: {done.output} {done.exception}"
        run = match[1] if (match := re.search(r"submitted: (\S+)", done.output)) else run
        schedule = match[1] if (match := re.search(r"scheduled: (\S+)", done.output)) else schedule
    assert run
