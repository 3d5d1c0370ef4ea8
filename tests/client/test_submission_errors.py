"""Submission where something is wrong: each mistake and each fault in one message, and nothing half-submitted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.client.submission import command
from tests.client.services import Result, forget_credentials, no_credentials, started
from tests.fakes.kubeflow import Kubeflow
from tests.fakes.rest import Rest
from tests.fakes.vertex_pipelines import VertexPipelines


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, 1, "expired"),
        (403, 1, "not allowed"),
        (429, 7, "(quota is used up|no room)"),
        (503, 7, "(cannot be reached|no room)"),
        (400, 1, "refused"),
    ],
)
def test_what_the_service_refuses(
    service: tuple[str, Any], sluice: Callable[..., Result], status: int, code: int, said: str
) -> None:
    name, api = service
    api.fail("POST .*(pipelineJobs|runs)$", status, "because", times=20)
    done = sluice("submit", name, "--key", "k")
    assert (done.code, started(api)) == (code, [])
    assert re.search(said, done.out), done.out
    assert status == 401 or "because" in done.out  # Google's client tells of its try to renew the token


def test_a_run_that_is_not_there(service: tuple[str, Any], sluice: Callable[..., Result]) -> None:
    done = sluice("status", service[0], "nowhere")
    assert done.code == 1
    assert "not there" in done.out


def test_a_wrong_token_and_none(
    kubeflow: Kubeflow, sluice: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_TOKEN", "stale")
    assert "the token is missing or has expired" in sluice("submit", "kubeflow").out
    monkeypatch.delenv("KFP_TOKEN")
    assert "the environment variable KFP_TOKEN is not set" in sluice("submit", "kubeflow").out
    monkeypatch.setenv("KFP_TOKEN", "let-me-in")
    assert (
        "not allowed: User is not authorized"
        in sluice("submit", "kubeflow", "--set", "platform.kubeflow.namespace=other").out
    )
    assert kubeflow.runs == {}


def test_no_google_credentials(use_case: Path, sluice: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.auth.default", no_credentials)
    forget_credentials()
    done = sluice("submit", "vertex")
    assert done.code == 1
    assert "there are no Google credentials" in done.out
    assert "gcloud auth application-default login" in done.out


def test_a_host_that_cannot_be_reached(use_case: Path, sluice: Callable[..., Result]) -> None:
    done = sluice("submit", "kubeflow", "--set", "platform.kubeflow.host=http://127.0.0.1:9")
    assert done.code == 7
    assert "Kubeflow cannot be reached" in done.out


def test_an_experiment_that_cannot_be_had(vertex_ai: VertexPipelines, sluice: Callable[..., Result]) -> None:
    """Before the run is made, or after it."""
    wanted = ("submit", "vertex", "--key", "k", "--set", "platform.vertex.experiment=nightly")
    vertex_ai.fail("GET .*metadataStores/default$", 403, "no rights in the metadata store")
    done = sluice(*wanted)
    assert (done.code, vertex_ai.jobs) == (1, {})
    assert "the experiment 'nightly' can neither be found nor made: no rights in the metadata store" in done.out
    vertex_ai.fail("POST .*:addContextChildren", 403, "no rights in the metadata store")
    done = sluice(*wanted)
    assert (done.code, len(vertex_ai.jobs)) == (7, 1)
    assert "the run was started" in done.out
    assert "with --key k no run is started twice" in done.out


def test_a_bucket_that_cannot_be_looked_up_is_a_note_not_a_traceback(
    vertex_ai: VertexPipelines, sluice: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud.aiplatform.utils import gcs_utils

    def forbidden(**_: Any) -> None:
        raise PermissionError("no storage.buckets.get")

    monkeypatch.setattr(gcs_utils, "create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist", forbidden)
    done = sluice("submit", "vertex", "--key", "k")
    assert done.code == 0
    note, said = sorted(done.out.splitlines())
    assert note.startswith("note: ")
    assert note.endswith("no storage.buckets.get")
    assert said.startswith("submitted: flights-k")


def test_a_wrong_project(vertex_ai: VertexPipelines, sluice: Callable[..., Result]) -> None:
    done = sluice("submit", "vertex", "--set", "platform.vertex.project=acne")
    assert (done.code, vertex_ai.jobs) == (1, {})
    assert "not allowed: Permission denied on resource 'projects/acne/" in done.out
    assert "check platform.vertex.project" in done.out


def test_a_service_that_is_out_of_sight_while_a_run_is_followed(
    service: tuple[str, Any], sluice: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, api = service
    followed = ("submit", name, "--wait", "--key")
    look = "GET .*(pipelineJobs|runs)/"
    monkeypatch.setattr(command, "PATIENCE", 60.0)
    api.fail(look, 429, "not now", times=2)
    assert sluice(*followed, "a").code == 0
    monkeypatch.setattr(command, "PATIENCE", 0.0)
    for status, said in ((401, "expired"), (503, "no room")):
        if (name, status) == ("vertex", 503):
            continue  # Google's client asks for more than a minute by itself
        api.fail(look, status, "away", times=99)
        done = sluice(*followed, str(status))
        api.faults.clear()
        assert done.code == 7
        assert said in done.out
        assert re.search(r"; the run goes on\n.*see what becomes of it: sluice status \w+ \S+$", done.out), done.out
    count = len(started(api))
    assert sluice(*followed, "401").code == 0
    assert len(started(api)) == count


def test_a_run_is_followed_until_ctrl_c_and_goes_on(
    service: tuple[str, Any], sluice: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", stopped)
    done = sluice("submit", service[0], "--wait")
    assert done.code == 130
    assert "goes on; see what becomes of it: sluice status" in done.out
    assert sluice("status", service[0], done.out.split()[1]).code == 0


def test_vertex_cannot_be_reached(vertex_ai: VertexPipelines, sluice: Callable[..., Result]) -> None:
    from google.cloud import aiplatform

    aiplatform.init(api_endpoint="http://127.0.0.1:9")
    done = sluice("submit", "vertex", "--key", "k")
    assert done.code == 7, done.out
    assert "the service cannot be reached" in done.out
    assert "with --key k no run is started twice" in done.out


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("platform.registry=''", "the image 'sluice/"),
        ("ledger=runs/ledger", "is a path on this machine: a cluster does not reach it"),
        ("source.uri=data.parquet", "is a path on this machine"),
        ("platform.vertex.project=''", "platform.vertex.project is not set"),
        ("platform.vertex.pipeline_root=''", "platform.vertex.pipeline_root is not set"),
        ("platform.vertex.zone=a", "unknown key"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(
    vertex_ai: Rest, sluice: Callable[..., Result], setting: str, said: str
) -> None:
    settings = ["--set", setting] + (["--set", "platform.digests={}"] if "registry" in setting else [])
    done = sluice("submit", "vertex", *settings)
    assert done.code == 1
    assert said in done.out
    assert vertex_ai.requests == []
