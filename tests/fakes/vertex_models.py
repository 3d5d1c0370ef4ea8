"""Vertex AI's Model Registry and Endpoints, as far as a push uses them; predictions come from the files themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.cloud.aiplatform_v1 import types

from tests.fakes.google import Google, parsed, plain
from tests.fakes.rest import ProblemError, Request

ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
PREFIX = "google.cloud.aiplatform.v1"


@dataclass
class Version:
    """A version of a model."""

    number: int
    artifact: str
    image: str
    aliases: set[str] = field(default_factory=set)


@dataclass
class Endpoint:
    """An endpoint: what is deployed, and who gets how much of the traffic."""

    deployed: dict[str, dict[str, str]] = field(default_factory=dict)
    traffic: dict[str, int] = field(default_factory=dict)


@dataclass
class VertexModels(Google):
    """The service.

    Attributes:
        models: model's resource name to its versions.
        endpoints: endpoint's resource name to its state.
        predict: artifact URI and instances to predictions.
    """

    models: dict[str, list[Version]] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    predict: Callable[[str, list[Any]], list[Any]] | None = None
    counter: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        model, endpoint = (
            r"(projects/[^/]+/locations/[^/]+/models/[^/:@]+)(?:@([^:]+))?",
            r"(projects/[^/]+/locations/[^/]+/endpoints/[^/:]+)",
        )
        self.routes += [
            ("POST", r"/v1/(projects/[^/]+/locations/[^/]+)/models:upload", self._upload),
            ("GET", rf"/v1/{model}", self._get),
            ("GET", rf"/v1/{model}:listVersions", self._list),
            ("POST", rf"/v1/{model}:mergeVersionAliases", self._merge),
            ("DELETE", rf"/v1/{model}:deleteVersion", self._delete_version),
            ("DELETE", rf"/v1/{model}", self._delete),
            ("GET", rf"/v1/{endpoint}", self._endpoint),
            ("PATCH", rf"/v1/{endpoint}", self._update),
            ("POST", rf"/v1/{endpoint}:deployModel", self._deploy),
            ("POST", rf"/v1/{endpoint}:undeployModel", self._undeploy),
            ("POST", rf"/v1/{endpoint}:predict", self._predict),
        ]

    def _versions(self, name: str) -> list[Version]:
        if name not in self.models:
            raise ProblemError(404, f"The Model does not exist: {name}")
        return self.models[name]

    def _version(self, name: str, key: str | None) -> Version:
        wanted = key or "default"
        for version in self._versions(name):
            if wanted in ({str(version.number)} | version.aliases):
                return version
        raise ProblemError(404, f"The Model version does not exist: {name}@{wanted}")

    def _shown(self, name: str, version: Version) -> Any:
        return {
            "name": name, "displayName": name.rpartition("/")[2], "versionId": str(version.number), "artifactUri": version.artifact,
            "versionAliases": sorted(version.aliases), "containerSpec": {"imageUri": version.image},
            "supportedDeploymentResourcesTypes": ["DEDICATED_RESOURCES"],
        }  # fmt: skip

    def _upload(self, request: Request, parent: str) -> Any:
        given = parsed(types.UploadModelRequest, {**request.body, "parent": parent})
        if not given.model.artifact_uri.startswith("gs://"):
            raise ProblemError(400, "artifact_uri must be a Cloud Storage URI")
        if not given.model.container_spec.image_uri:
            raise ProblemError(400, "container_spec.image_uri is required")
        if given.parent_model and given.parent_model not in self.models:
            raise ProblemError(404, f"The parent model does not exist: {given.parent_model}")
        if not given.parent_model and f"{parent}/models/{given.model_id}" in self.models:
            raise ProblemError(409, f"The model {given.model_id} exists already")
        for alias in given.model.version_aliases:
            if not ALIAS.fullmatch(alias):
                raise ProblemError(400, f"not an alias: {alias}")
        name = given.parent_model or f"{parent}/models/{given.model_id}"
        versions = self.models.setdefault(name, [])
        new = Version(len(versions) + 1, given.model.artifact_uri, given.model.container_spec.image_uri)
        versions.append(new)
        self._alias(name, new, [*given.model.version_aliases, *(["default"] if len(versions) == 1 else [])])
        return self.operation(
            parent, f"{PREFIX}.UploadModelResponse", {"model": name, "modelVersionId": str(new.number)}
        )

    def _alias(self, name: str, version: Version, aliases: list[str]) -> None:
        """An alias names one version: it leaves the one that had it."""
        for other in self.models[name]:
            other.aliases -= set(aliases)
        version.aliases |= set(aliases)

    def _get(self, _: Request, name: str, key: str | None) -> Any:
        return self._shown(name, self._version(name, key))

    def _list(self, _: Request, name: str, _key: str | None) -> Any:
        return {"models": [self._shown(name, version) for version in self._versions(name)]}

    def _merge(self, request: Request, name: str, key: str | None) -> Any:
        version = self._version(name, key)
        self._alias(
            name, version, parsed(types.MergeVersionAliasesRequest, {"name": name, **request.body}).version_aliases
        )
        return self._shown(name, version)

    def _delete_version(self, _: Request, name: str, key: str | None) -> Any:
        version = self._version(name, key)
        if "default" in version.aliases:
            raise ProblemError(412, "the default version cannot be deleted")
        self._refuse_if_deployed(name, version)
        self.models[name].remove(version)
        return self.operation(name.rpartition("/models/")[0], "google.protobuf.Empty", {})

    def _delete(self, _: Request, name: str, _key: str | None) -> Any:
        for version in self._versions(name):
            self._refuse_if_deployed(name, version)
        del self.models[name]
        return self.operation(name.rpartition("/models/")[0], "google.protobuf.Empty", {})

    def _refuse_if_deployed(self, name: str, version: Version) -> None:
        for endpoint in self.endpoints.values():
            if any(item["model"] == f"{name}@{version.number}" for item in endpoint.deployed.values()):
                raise ProblemError(412, "the model version is deployed")

    def _of(self, name: str) -> Endpoint:
        if name not in self.endpoints:
            raise ProblemError(404, f"The Endpoint does not exist: {name}")
        return self.endpoints[name]

    def _endpoint(self, _: Request, name: str) -> Any:
        endpoint = self._of(name)
        deployed = [
            {"id": key, "displayName": item["displayName"], "model": item["model"].partition("@")[0], "modelVersionId": item["model"].partition("@")[2]}
            for key, item in endpoint.deployed.items()
        ]  # fmt: skip
        return {"name": name, "displayName": "served", "deployedModels": deployed, "trafficSplit": endpoint.traffic}

    def _split(self, endpoint: Endpoint, split: dict[str, int]) -> None:
        if sum(split.values()) != 100 and endpoint.deployed:
            raise ProblemError(400, f"the traffic split has to sum up to 100: {split}")
        if unknown := {key for key, share in split.items() if share and key not in endpoint.deployed}:
            raise ProblemError(400, f"not deployed: {unknown}")
        endpoint.traffic = {key: share for key, share in split.items() if share}

    def _update(self, request: Request, name: str) -> Any:
        given = parsed(types.Endpoint, request.body)
        self._split(self._of(name), dict(given.traffic_split))
        return self._endpoint(request, name)

    def _deploy(self, request: Request, name: str) -> Any:
        endpoint, given = self._of(name), parsed(types.DeployModelRequest, {"endpoint": name, **request.body})
        model, _, key = given.deployed_model.model.partition("@")
        version = self._version(model, key or None)
        self.counter += 1
        new = str(self.counter)
        endpoint.deployed[new] = {
            "displayName": given.deployed_model.display_name,
            "model": f"{model}@{version.number}",
        }
        self._split(endpoint, {new if key == "0" else key: share for key, share in given.traffic_split.items()})
        return self.operation(name.rpartition("/endpoints/")[0], f"{PREFIX}.DeployModelResponse",
                              {"deployedModel": {"id": new, **plain(given.deployed_model)}})  # fmt: skip

    def _undeploy(self, request: Request, name: str) -> Any:
        endpoint, given = self._of(name), parsed(types.UndeployModelRequest, {"endpoint": name, **request.body})
        if given.deployed_model_id not in endpoint.deployed:
            raise ProblemError(404, f"not deployed: {given.deployed_model_id}")
        if endpoint.traffic.get(given.deployed_model_id) and len(endpoint.deployed) > 1 and not given.traffic_split:
            raise ProblemError(400, "the deployed model has traffic: give a traffic split without it")
        del endpoint.deployed[given.deployed_model_id]
        self._split(
            endpoint, dict(given.traffic_split) or {k: v for k, v in endpoint.traffic.items() if k in endpoint.deployed}
        )
        return self.operation(name.rpartition("/endpoints/")[0], f"{PREFIX}.UndeployModelResponse", {})

    def _predict(self, request: Request, name: str) -> Any:
        """Who has the most traffic answers."""
        endpoint = self._of(name)
        if not endpoint.traffic or self.predict is None:
            raise ProblemError(412, "nothing is deployed")
        most = max(endpoint.traffic, key=lambda key: endpoint.traffic[key])
        model, _, number = endpoint.deployed[most]["model"].partition("@")
        artifact = self._version(model, number).artifact
        return {"predictions": self.predict(artifact, request.body["instances"]), "deployedModelId": most}
