"""KServe, there and back: canaries, promotion, rollback, and what a cluster refuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import SluiceError
from sluice.promotion import approved_policies
from sluice.promotion.destinations import base, kserve
from sluice.promotion.ledger import Kind, Ledger
from sluice.promotion.resolve import resolve
from sluice.promotion.rollback import rollback
from sluice.promotion.route import route
from sluice.storage import Store
from tests.fakes import kubernetes, serving
from tests.fakes.kubernetes import Kubernetes
from tests.fakes.rest import ProblemError
from tests.promotion import made

X = (1.0, 2.5)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    """A cluster with KServe, reached through a kubeconfig."""
    monkeypatch.setattr(kserve, "POLL", 0.01)
    with Kubernetes().running() as service:
        from kubernetes import config

        monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(service.config(tmp_path)))
        yield service


def served_by(cluster: Kubernetes, tmp_path: Path) -> tuple[float, ...]:
    """What the version with the most traffic predicts, loaded from its storage as TensorFlow Serving would."""
    traffic = cluster.traffic("models/flights")
    uri = max(traffic, key=lambda known: traffic[known])
    out = tmp_path / "kserve" / uri.rpartition("/")[2]
    if not out.exists():
        Store.at(uri).download("", out)
    return serving.predict(out / uri.rpartition("/")[2], *X)


def test_kserve_there_and_back(cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path) -> None:
    ledger, place = (
        str(tmp_path / "ledger"),
        f"kserve://models/flights?storage={s3}/published&canary=20&service_account=loader",
    )
    assert candidates[0].judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    assert served_by(cluster, tmp_path) == (1.0, 2.5)
    assert candidates[1].judged_and_pushed(ledger, place).version == 2
    assert cluster.traffic("models/flights") == {f"{s3}/published/2": 20, f"{s3}/published/1": 80}
    assert route(ledger, percent=100, reason="quiet", by="ann").number == 3
    assert cluster.traffic("models/flights") == {f"{s3}/published/2": 100}
    assert served_by(cluster, tmp_path) == (2.0, 5.0)
    predictor = cluster.services["models/flights"]["spec"]["predictor"]
    assert predictor == {
        "model": {"modelFormat": {"name": "tensorflow"}, "storageUri": f"{s3}/published/2"}, "serviceAccountName": "loader",
    }  # fmt: skip
    entry = rollback(ledger, reason="worse", by="ann")
    assert (entry.number, entry.version, entry.restores) == (4, 3, 1)
    assert cluster.traffic("models/flights") == {f"{s3}/published/3": 100}  # a rollback waits for nothing
    assert served_by(cluster, tmp_path) == (1.0, 2.5)
    outs = {f"{name}_out": tmp_path / "got" / name for name in ("model", "statistics", "schema")}
    assert resolve(ledger, **outs) == entry
    assert Ledger.at(ledger).verify() == []


def test_a_version_that_still_has_traffic_at_kserve_is_kept(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/published&canary=20"
    for one in candidates:
        one.policies["push"] = {"keep": 1}
        assert one.judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    assert cluster.traffic("models/flights") == {f"{s3}/published/3": 20, f"{s3}/published/1": 80}
    assert base.at(place).versions() == [1, 2, 3]  # 1 has the rest, 2 was the champion before
    entry = route(ledger, percent=100, reason="quiet", by="ann")
    assert route(ledger, percent=100, reason="still", by="ann").number == entry.number + 1
    approved_policies.adopt(ledger, {**candidates[0].policies, "push": {"keep": 2}}, reason="more", by="ann")
    candidates[0].policies["push"] = {"keep": 2}
    assert candidates[0].judged_and_pushed(ledger, place).version == 4
    assert base.at(place).versions() == [3, 4]


def test_without_knative_a_canary_is_refused(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    cluster.knative = False
    ledger, place = str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/published"
    assert candidates[0].judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    assert candidates[1].judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    assert served_by(cluster, tmp_path) == (2.0, 5.0)
    with pytest.raises(SluiceError, match="does not split traffic: KServe runs it without Knative"):
        route(ledger, percent=50, reason="?", by="ann")
    entry = candidates[2].judged_and_pushed(ledger, f"{place}&canary=10")
    assert (entry.kind, entry.champion) == (Kind.WITHDRAWN, 2)
    assert served_by(cluster, tmp_path) == (2.0, 5.0)


def test_two_that_make_the_service_at_once(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    cluster.fail("POST .*inferenceservices", 409, "already exists", lost=True)
    ledger = str(tmp_path / "ledger")
    assert candidates[0].judged_and_pushed(ledger, f"kserve://models/flights?storage={s3}/p").kind is Kind.PROMOTED
    assert served_by(cluster, tmp_path) == (1.0, 2.5)


def test_a_service_that_no_push_has_made_is_left_alone(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    theirs = {
        "metadata": {"name": "flights", "generation": 1}, "status": {},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://theirs"}}},
    }  # fmt: skip
    cluster.services["models/flights"] = theirs
    entry = candidates[0].judged_and_pushed(str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/p")
    assert entry.kind is Kind.WITHDRAWN
    assert "there is an InferenceService of that name already, which no push has made" in entry.reasons[0]
    assert cluster.services["models/flights"] == theirs


def test_a_version_that_kserve_cannot_load_is_withdrawn(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/published"
    candidates[0].judged_and_pushed(ledger, place)
    cluster.loads = lambda uri: not uri.endswith("/2")
    entry = candidates[1].judged_and_pushed(ledger, place)
    assert (entry.kind, entry.champion) == (Kind.WITHDRAWN, 1)
    assert "KServe cannot load version 2: failed to load" in entry.reasons[0]
    assert served_by(cluster, tmp_path) == (1.0, 2.5)
    assert base.at(place).versions() == [1]


def test_a_version_that_is_never_ready_is_withdrawn(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/published&timeout=0"
    entry = candidates[0].judged_and_pushed(ledger, place)
    assert (entry.kind, entry.champion) == (Kind.WITHDRAWN, 0)
    assert "was not ready within 0 s" in entry.reasons[0]
    assert cluster.services == {}


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"storageUrl": "s3://b/1"}, 'unknown field "spec.predictor.storageUrl"'),
        ({"model": {"storageUri": "s3://b/1"}}, r"spec.predictor.model.modelFormat: Required value"),
        ({"minReplicas": "1"}, "must be of type integer"),
        ({"canaryTrafficPercent": 101}, "should be between 0 and 100"),
    ],
)
def test_the_cluster_checks_what_it_is_given(patch: dict[str, Any], said: str) -> None:
    with pytest.raises(ProblemError, match=said):
        kubernetes.admit({"metadata": {}, "spec": {"predictor": patch}})


def test_the_cluster_s_schema_is_kserve_s() -> None:
    python = serving.ROOT / ".venv-kserve" / "bin" / "python"
    if not python.exists():
        pytest.skip("KServe's environment is not here: build/environments kserve")
    made_now = subprocess.run(
        [python, "-m", "tests.fakes.inferenceservice"], capture_output=True, check=True, cwd=serving.ROOT
    )
    assert json.loads(made_now.stdout) == kubernetes.SCHEMA


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "allow get, create, patch and delete on inferenceservices"), (401, "the token has expired")],
)
def test_what_kubernetes_refuses_is_told(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path, status: int, said: str
) -> None:
    cluster.fail("GET .*inferenceservices", status, "no", times=100)
    with pytest.raises(SluiceError, match=said):
        candidates[0].judged_and_pushed(str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/published")


def test_a_cluster_without_kserve_is_told(
    cluster: Kubernetes, s3: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    cluster.fail("POST .*inferenceservices", 404, "the server could not find the requested resource")
    entry = candidates[0].judged_and_pushed(str(tmp_path / "ledger"), f"kserve://models/flights?storage={s3}/published")
    assert entry.kind is Kind.WITHDRAWN
    assert "is KServe installed in the cluster, and is the namespace models there?" in entry.reasons[0]
