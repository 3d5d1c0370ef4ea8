"""The run's ID and the address of its page, from the submission to entries and verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.run import RUN_ID, reference, run_of
from sluice.stages.runtime import RunRecord
from tests.client.services import Result

UUID = "6f1c2c1e-6d2b-4b7e-9a54-0a4f9d1c2b3a"


@pytest.mark.parametrize(
    ("uri", "run"),
    [
        (f"s3://mlpipeline/v2/artifacts/training/{UUID}/validate/0b0e7d2c-3f1a-4a55-8e8f-3e9c1d2b3a4f/verdict", UUID),
        (f"minio://mlpipeline/v2/artifacts/team/training/{UUID}/validate/verdict", UUID),
        ("gs://data/runs/123456789/flights-build-42/validate_-4032611520921239552/verdict", "flights-build-42"),
        ("gs://data/runs/123456789/flights-build-42/validate_7734/verdict", "flights-build-42"),
        ("gs://data/elsewhere/verdict", ""),
        ("", ""),
    ],
)
def test_a_run_is_known_by_where_its_artifacts_lie(uri: str, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_ID, raising=False)
    assert run_of(uri) == run
    monkeypatch.setenv(RUN_ID, "here")
    assert run_of(uri) == "here"


def test_a_page_has_the_id_or_the_name_in_it() -> None:
    assert reference("flights-1", UUID, "https://kf/#/runs/details/{id}").url == f"https://kf/#/runs/details/{UUID}"
    assert (
        reference("", "flights-1", "https://console/{name}?project=acme").url
        == "https://console/flights-1?project=acme"
    )
    assert reference("flights-1", "789", "https://console/{name}").url == "https://console/flights-1"
    assert reference("", "", "https://console/{name}").url == ""


def test_an_entry_gets_the_services_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_ID, raising=False)
    record = RunRecord("flights", "1-3", "flights-1", UUID, "https://kf/#/runs/details/{id}", {"by": "ann"})
    fields = record.fields()
    assert (fields["run"].name, fields["run"].id) == ("flights-1", UUID)
    assert fields["run"].url.endswith(UUID)
    assert (fields["use_case"], fields["span"], fields["facts"]) == ("flights", "1-3", {"by": "ann"})


def test_a_submission_says_where_its_pages_are(sluice: Callable[..., Result], use_case: Path) -> None:
    def page(*arguments: str) -> str:
        request = sluice("submit", *arguments, "--dry-run")
        text = json.dumps(json.loads(request.out))
        found: str = text.partition('"run_page": "')[2].partition('"')[0]
        return found

    assert (
        page("kubeflow", "--set", "platform.kubeflow.host=https://kf.example/")
        == "https://kf.example/#/runs/details/{id}"
    )
    assert page("kubeflow") == ""
    expected = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/{name}?project=acme"
    assert page("vertex") == expected
