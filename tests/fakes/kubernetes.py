"""A Kubernetes API with KServe's InferenceService: checked against its schema, reconciled by a controller of our own.

The schema is KServe's own (`inferenceservice.py`); fields that it does not know are refused, as strict field validation
refuses them. The status is as KServe's controller writes it: ``observedGeneration`` is that of the Knative service (or
deployment) behind, which starts at 1 whatever the InferenceService's own is, and until the controller has looked the
status speaks of the object as it was before.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.rest import ProblemError, Request, Rest

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("inferenceservice.json").read_text())
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
    "array": list,
    "object": dict,
}
GENERATION = 7
"""An InferenceService's own generation at first: the webhooks and others have changed it before."""


def check(value: Any, schema: dict[str, Any], path: str = "") -> None:
    """Refuse what the definition would refuse."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        raise ProblemError(422, f"{path}: Invalid value: {value!r}: must be of type {kind}")
    if kind == "array":
        for number, item in enumerate(value):
            check(item, schema["items"], f"{path}[{number}]")
    if kind == "object":
        for name in schema.get("required", ()):
            if name not in value:
                raise ProblemError(422, f"{path}.{name}: Required value")
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            if known is False:
                raise ProblemError(400, f'strict decoding error: unknown field "{path}.{name}"'.replace('".', '"'))
            check(inner, known, f"{path}.{name}".lstrip("."))


def admit(service: Any) -> None:
    """What KServe's webhook and the API server ask besides."""
    check(service, SCHEMA)
    for name in ("annotations", "labels"):
        check(
            service["metadata"].get(name, {}),
            {"type": "object", "additionalProperties": {"type": "string"}},
            f"metadata.{name}",
        )
    share = service["spec"]["predictor"].get("canaryTrafficPercent", 100)
    if not 0 <= share <= 100:
        raise ProblemError(
            422, f"spec.predictor.canaryTrafficPercent: Invalid value: {share}: should be between 0 and 100"
        )


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    made = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


@dataclass
class Kubernetes(Rest):
    """The API server and the controller.

    Attributes:
        services: "namespace/name" to the object.
        looks: how many looks a change needs until it is ready.
        loads: storage URI to whether the predictor can load it.
        knative: whether Knative is there; without, traffic cannot be split.
        token: what clients have to present.
    """

    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: int = 1
    loads: Callable[[str], bool] = lambda _: True
    knative: bool = True
    token: str = "secret"
    _left: dict[str, int] = field(default_factory=dict)
    _shares: dict[str, dict[str, int]] = field(default_factory=dict)
    _rolled: dict[str, str] = field(default_factory=dict)
    _done: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = r"/apis/serving.kserve.io/v1beta1/namespaces/([^/]+)/inferenceservices"
        self.routes += [
            ("GET", rf"{root}/([^/]+)", self._get),
            ("POST", root, self._create),
            ("PATCH", rf"{root}/([^/]+)", self._patch),
            ("DELETE", rf"{root}/([^/]+)", self._delete),
        ]

    def config(self, folder: Path) -> Path:
        """Write a kubeconfig for this server."""
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": self.token}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        }))  # fmt: skip
        return file

    def traffic(self, name: str) -> dict[str, int]:
        """Storage URI to its share of the traffic."""
        return self._shares.get(name, {})

    def _known(self, request: Request, key: str) -> dict[str, Any]:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise ProblemError(401, "Unauthorized")
        if key not in self.services:
            raise ProblemError(404, f'inferenceservices.serving.kserve.io "{key.partition("/")[2]}" not found')
        return self.services[key]

    def _get(self, request: Request, namespace: str, name: str) -> Any:
        key = f"{namespace}/{name}"
        service = self._known(request, key)
        self._left[key] = self._left.get(key, 0) - 1
        if self._left[key] <= 0:
            self._reconcile(key, service)
        return service

    def _create(self, request: Request, namespace: str) -> Any:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise ProblemError(401, "Unauthorized")
        admit(request.body)
        key = f"{namespace}/{request.body['metadata']['name']}"
        if key in self.services:
            raise ProblemError(409, "already exists")
        self.services[key] = {**copy.deepcopy(request.body), "status": {}}
        self.services[key]["metadata"] |= {"generation": GENERATION, "resourceVersion": "1"}
        self._left[key] = self.looks
        return self.services[key]

    def _patch(self, request: Request, namespace: str, name: str) -> Any:
        key = f"{namespace}/{name}"
        service = self._known(request, key)
        given = {part: service[part] for part in ("apiVersion", "kind", "spec")}
        given["metadata"] = {
            "name": name,
            "namespace": namespace,
            "annotations": service["metadata"].get("annotations", {}),
        }
        new = merged(given, request.body)
        admit(new)
        changed = new["spec"] != service["spec"]
        service["spec"] = new["spec"]
        service["metadata"]["annotations"] = new["metadata"]["annotations"]
        service["metadata"]["generation"] += changed
        self._left[key] = self.looks
        return service

    def _delete(self, request: Request, namespace: str, name: str) -> Any:
        self._known(request, f"{namespace}/{name}")
        for known in (self.services, self._shares, self._rolled, self._done):
            known.pop(f"{namespace}/{name}", None)  # type: ignore[attr-defined]
        return {"status": "Success"}

    def _reconcile(self, key: str, service: dict[str, Any]) -> None:
        """What KServe's controller does: load, then shift the traffic; a model that does not load gets none."""
        predictor, status = service["spec"]["predictor"], service["status"]
        uri, share = predictor["model"]["storageUri"], predictor.get("canaryTrafficPercent", 100)
        workload = [predictor["model"], predictor.get("serviceAccountName"), share if self.knative else 100]
        if self._done.get(key) != workload:
            self._done[key] = workload
            status["observedGeneration"] = status.get("observedGeneration", 0) + 1
        if not self.loads(uri):
            status["modelStatus"] = {
                "transitionStatus": "BlockedByFailedLoad",
                "lastFailureInfo": {"message": f"failed to load {uri}"},
            }
            status["conditions"] = [{"type": "Ready", "status": "False"}]
            return
        status["modelStatus"] = {"transitionStatus": "UpToDate"}
        status["conditions"] = [{"type": "Ready", "status": "True"}]
        rolled = self._rolled.get(key)
        if not self.knative or share == 100 or rolled in (None, uri):
            self._rolled[key], self._shares[key] = uri, {uri: 100}
        else:  # the last that had all of the traffic keeps the rest
            self._shares[key] = {uri: share, str(rolled): 100 - share}
        if self.knative:
            traffic = [{"revisionName": known, "percent": percent} for known, percent in self._shares[key].items()]
            status["components"] = {"predictor": {"traffic": traffic}}

    def error(self, problem: ProblemError) -> Any:
        """See `Rest.error`."""
        return {"kind": "Status", "status": "Failure", "message": problem.message, "code": problem.status}
