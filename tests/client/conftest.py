"""Vertex AI and Kubeflow on loopback, and a command that speaks to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.client.services import DIGESTS, ROOT, Result

if TYPE_CHECKING:  # both environments read this file; only one has the client
    from tests.fakes.kubeflow import Kubeflow
    from tests.fakes.vertex_pipelines import VertexPipelines


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    """The flights, with everything where a cluster reaches it."""
    content = yaml.safe_load((ROOT / "examples" / "flights" / "sluice.yaml").read_text())
    content |= {
        "source": {"uri": "gs://data/span-{SPAN}.parquet", "window": 3},
        "ledger": "gs://data/ledger",
        "destination": "gs://data/published",
    }
    content["platform"] = {
        "registry": "europe-docker.pkg.dev/acme/sluice", "digests": DIGESTS,
        "vertex": {"project": "acme", "location": "europe-west4", "pipeline_root": "gs://data/runs", "service_account": "runner@acme",
                   "labels": {"team": "flights"}, "network": "projects/1/global/networks/n", "encryption_key": "projects/acme/k"},
        "kubeflow": {"host": "", "experiment": "flights"},
    }  # fmt: skip
    (tmp_path / "sluice.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "sluice.yaml"


@pytest.fixture
def vertex_ai(monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexPipelines]:
    """Vertex AI on loopback."""
    from google.cloud import aiplatform
    from google.cloud import logging as cloud_logging
    from google.cloud.aiplatform.utils import gcs_utils
    from google.oauth2.credentials import Credentials

    from sluice.client.submission import vertex
    from tests.fakes.vertex_pipelines import VertexPipelines

    monkeypatch.setattr(gcs_utils, "create_gcs_bucket_for_pipeline_artifacts_if_it_does_not_exist", lambda **_: None)
    with VertexPipelines().running() as service:
        aiplatform.init(api_endpoint=service.url, api_transport="rest", credentials=Credentials(token="t"))
        client = cloud_logging.Client(
            project="acme",
            credentials=Credentials(token="t"),
            _use_grpc=False,
            client_options={"api_endpoint": service.url},
        )
        monkeypatch.setattr(vertex, "logging_client", lambda *_: client)
        yield service


@pytest.fixture
def kubeflow(use_case: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubeflow]:
    """Kubeflow on loopback, which asks for a token."""
    from tests.fakes.kubeflow import Kubeflow

    with Kubeflow(token="let-me-in", namespaces=("team",)).running() as service:
        content = yaml.safe_load(use_case.read_text())
        content["platform"]["kubeflow"] |= {"host": service.url, "namespace": "team", "token_variable": "KFP_TOKEN"}
        use_case.write_text(yaml.safe_dump(content))
        monkeypatch.setenv("KFP_TOKEN", "let-me-in")
        yield service


@pytest.fixture
def sluice(use_case: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command as `main` does."""
    from typer.testing import CliRunner

    from sluice.client.cli import app
    from sluice.client.submission import command
    from sluice.errors import SluiceError

    monkeypatch.setattr(command, "POLL", 0.0)

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(app, [*arguments, "--config", str(use_case)])
        if isinstance(done.exception, SluiceError):
            return Result(done.exception.exit_status, f"sluice: {done.exception}")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Result(done.exit_code, done.output)

    return run


@pytest.fixture(params=["vertex", "kubeflow"])
def service(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """Each service: its name, and its stand-in."""
    return request.param, request.getfixturevalue("vertex_ai" if request.param == "vertex" else "kubeflow")
