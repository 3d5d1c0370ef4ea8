"""Every destination, there and back: push, read back, predict where it serves, roll back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.promotion.destinations import base
from sluice.promotion.destinations.folder import LocalFolder
from sluice.promotion.ledger import Kind, Ledger
from sluice.promotion.publish import repair
from sluice.promotion.resolve import resolve
from sluice.promotion.rollback import rollback
from sluice.promotion.route import route
from sluice.storage import Store
from tests.fakes import serving
from tests.fakes.vertex_models import Endpoint, Version, VertexModels
from tests.promotion import made

X = (1.0, 2.5)


def read_back(uri: str, out: Path) -> str:
    """Digest of the files at a URI, mark left out."""
    Store.at(uri).download("", out)
    (out / ".published").unlink(missing_ok=True)
    return digest.of_tree(out)


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [("local", ""), ("local", "file"), ("s3", "s3"), ("gcs", "gs"), ("azure", "az"), ("azure", "abfs")],
)
def test_a_folder_in_every_store(
    kind: str, scheme: str, candidates: list[made.Candidate], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = str(tmp_path) if kind == "local" else request.getfixturevalue(kind).partition("://")[2]
    root = f"{scheme}://{place}" if scheme else place
    ledger, place = f"{root}/ledger", f"{root}/published"
    first, second, _ = candidates
    assert first.judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    assert second.judged_and_pushed(ledger, place).version == 2
    assert base.at(place).versions() == [1, 2]
    assert read_back(f"{place}/2", tmp_path / "back") == second.digest
    assert serving.predict(tmp_path / "back", *X) == (2.0, 5.0)
    entry = rollback(ledger, reason="worse", by="ann")
    assert (entry.number, entry.restores) == (3, 1)
    assert read_back(f"{place}/3", tmp_path / "again") == first.digest
    outs = {f"{name}_out": tmp_path / "got" / name for name in ("model", "statistics", "schema")}
    assert resolve(ledger, **outs) == entry
    assert serving.predict(tmp_path / "got" / "model", *X) == (1.0, 2.5)
    assert Ledger.at(ledger).verify() == []
    assert base.at(place).staged() == []


@pytest.fixture
def vertex(gcs: str, tmp_path: Path) -> Iterator[VertexModels]:
    """Vertex AI, with an endpoint; it serves from the bucket."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    def predict(artifact: str, instances: list[Any]) -> list[Any]:
        folder = tmp_path / "vertex" / artifact.rpartition("/")[2]
        if not folder.exists():
            read_back(artifact, folder)
        return list(serving.predict(folder, *(item["x"] for item in instances)))

    with VertexModels(predict=predict).running() as service:
        service.endpoints["projects/acme/locations/europe-west4/endpoints/7"] = Endpoint()
        aiplatform.init(api_endpoint=service.url, api_transport="rest", credentials=AnonymousCredentials())
        yield service


MODEL = "projects/acme/locations/europe-west4/models/flights"


def vertex_uri(gcs: str, **options: Any) -> str:
    more = "".join(f"&{name}={value}" for name, value in options.items())
    return f"vertex://acme/europe-west4/flights?storage={gcs}/published&container=serving:1{more}"


def answers() -> list[float]:
    from google.cloud import aiplatform

    endpoint = aiplatform.Endpoint("7", project="acme", location="europe-west4")
    return list(endpoint.predict([{"x": x} for x in X]).predictions)


def test_vertex_there_and_back(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), vertex_uri(gcs, endpoint=7, machine="n1-standard-2")
    first, second, third = candidates
    vertex.polls = 1
    assert first.judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    vertex.polls = 0
    assert answers() == [1.0, 2.5]
    assert second.judged_and_pushed(ledger, place).version == 2
    assert answers() == [2.0, 5.0]
    versions = vertex.models[MODEL]
    assert [version.aliases for version in versions] == [{"v1"}, {"v2", "champion", "default"}]
    assert versions[1].artifact == f"{gcs}/published/2"
    (endpoint,) = vertex.endpoints.values()
    assert [item["displayName"] for item in endpoint.deployed.values()] == ["v2"]
    assert rollback(ledger, reason="worse", by="ann").version == 3
    assert answers() == [1.0, 2.5]
    third.policies["push"] = {}
    assert third.judged_and_pushed(ledger, place).version == 4
    assert repair(Ledger.at(ledger)) == Ledger.at(ledger).champion()
    assert sum(request.path.endswith("models:upload") for request in vertex.requests) == 4  # nothing is done twice


def test_vertex_canary_and_route(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), vertex_uri(gcs, endpoint=7, traffic=10)
    candidates[0].judged_and_pushed(ledger, place)
    candidates[1].judged_and_pushed(ledger, place)
    (endpoint,) = vertex.endpoints.values()
    assert sorted(endpoint.traffic.values()) == [10, 90]
    assert answers() == [1.0, 2.5]
    entry = route(ledger, percent=100, reason="three quiet days", by="ann")
    assert (entry.kind, entry.champion, entry.facts) == (Kind.ROUTED, 2, {"by": "ann", "percent": "100"})
    assert answers() == [2.0, 5.0]
    assert list(endpoint.traffic.values()) == [100]


def test_a_version_that_still_has_traffic_at_vertex_is_kept(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), vertex_uri(gcs, endpoint=7, traffic=10)
    for one in candidates:
        one.policies["push"] = {"keep": 1}
        assert one.judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    (endpoint,) = vertex.endpoints.values()
    assert sorted(endpoint.traffic.values()) == [9, 10, 81]
    assert base.at(place).versions() == [1, 2, 3]
    assert rollback(ledger, reason="worse", by="ann", to=1).version == 4
    assert list(endpoint.traffic.values()) == [100]  # a rollback waits for nothing
    assert answers() == [1.0, 2.5]


def full(*_: Any, **__: Any) -> None:
    raise OSError("no space left")


def test_what_others_have_at_vertex_is_left_alone(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    theirs, ledger = Version(1, "gs://theirs/model", "serving:1", {"default"}), str(tmp_path / "ledger")
    vertex.models[MODEL] = [theirs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalFolder, "publish", full)
        entry = candidates[0].judged_and_pushed(ledger, vertex_uri(gcs, endpoint=7), str(tmp_path / "here"))
    assert (entry.kind, entry.champion) == (Kind.WITHDRAWN, 0)
    assert "no space left" in entry.reasons[0]
    assert (vertex.models[MODEL], theirs.aliases) == ([theirs], {"default"})
    (endpoint,) = vertex.endpoints.values()
    assert endpoint.deployed == {}
    vertex.models[(vision := MODEL.replace("flights", "vision"))] = [Version(1, "gs://theirs/vision", "serving:1")]
    endpoint.deployed["90"], endpoint.traffic = {"displayName": "v1", "model": f"{vision}@1"}, {"90": 100}
    entry = candidates[0].judged_and_pushed(ledger, vertex_uri(gcs, endpoint=7))
    assert (
        "the endpoint has models that no push deployed (v1); give this model an endpoint of its own" in entry.reasons[0]
    )
    assert (list(endpoint.deployed), endpoint.traffic) == (["90"], {"90": 100})


def test_vertex_without_an_endpoint_routes_nothing(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger, place = str(tmp_path / "ledger"), vertex_uri(gcs)
    assert candidates[0].judged_and_pushed(ledger, place).kind is Kind.PROMOTED
    with pytest.raises(SluiceError, match="there is no endpoint to route traffic at"):
        route(ledger, percent=50, reason="?", by="ann")


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (":deployModel", 429, "no quota for n1-standard-2"),
        ("models:upload", 403, "permission denied"),
        (":mergeVersionAliases", 400, "bad alias"),
    ],
)
def test_where_vertex_refuses_all_destinations_are_set_back(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path, fault: str, status: int, said: str
) -> None:
    ledger, here = str(tmp_path / "ledger"), str(tmp_path / "here")
    places = here, vertex_uri(gcs, endpoint=7)
    candidates[0].judged_and_pushed(ledger, *places)
    vertex.fail(fault, status, said)
    entry = candidates[1].judged_and_pushed(ledger, *places)
    assert (entry.kind, entry.champion) == (Kind.WITHDRAWN, 1)
    assert said in entry.reasons[0]
    assert answers() == [1.0, 2.5]
    assert base.at(here).versions() == [1]
    assert {alias for version in vertex.models[MODEL] for alias in version.aliases} == {"v1", "champion", "default"}
    assert candidates[2].judged_and_pushed(ledger, *places).kind is Kind.PROMOTED
    assert answers() == [3.0, 7.5]
    assert base.at(here).versions() == [1, 3]


def test_a_first_model_that_vertex_refuses_leaves_nothing(
    vertex: VertexModels, gcs: str, candidates: list[made.Candidate], tmp_path: Path
) -> None:
    ledger = str(tmp_path / "ledger")
    vertex.fail(":deployModel", 429, "no quota")
    entry = candidates[0].judged_and_pushed(ledger, vertex_uri(gcs, endpoint=7))
    assert (entry.kind, entry.champion) == (Kind.WITHDRAWN, 0)
    assert vertex.models == {}
    assert list(Store.at(gcs).keys("")) == []


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("vertex://acme/flights?storage=gs://b/p&container=c", "not a Vertex AI model"),
        ("vertex://acme/europe-west4/flights?storage=gs://b/p", "the option 'container' is missing"),
        (
            "vertex://acme/europe-west4/flights?storage=gs://b/p&container=c&traffic=0",
            "traffic=0 is no share of the traffic",
        ),
        ("kserve://models?storage=s3://b/p", "not an InferenceService"),
        ("kserve://models/flights", "the option 'storage' is missing"),
        ("kserve://models/flights?storage=s3://b/p&canery=10", "unknown option 'canery'"),
        ("kserve://models/flights?storage=s3://b/p&timeout=soon", "timeout=soon is no number of seconds"),
    ],
)
def test_mistakes_in_a_uri(uri: str, said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        base.at(uri)
