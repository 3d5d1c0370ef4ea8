"""A Kubernetes API with KServe's InferenceService: checked against its schema, reconciled by a controller of our own.

The schema holds the part of the custom resource definition (serving.kserve.io/v1beta1) that a push writes; fields that
the definition does not know are refused, as strict field validation refuses them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.rest import ProblemError, Request, Rest

STRING, PERCENT = {"type": str}, {"type": int, "least": 0, "most": 100}
SCHEMA: dict[str, Any] = {
    "apiVersion": STRING,
    "kind": STRING,
    "metadata": {"name": STRING, "namespace": STRING, "annotations": {"*": STRING}, "labels": {"*": STRING}},
    "spec": {
        "predictor": {
            "canaryTrafficPercent": PERCENT,
            "serviceAccountName": STRING,
            "minReplicas": {"type": int, "least": 0, "most": 1000},
            "model": {"modelFormat": {"name": STRING, "version": STRING}, "storageUri": STRING, "runtime": STRING},
        }
    },
}


def check(value: Any, schema: Any, path: str = "") -> None:
    """Refuse what the definition would refuse."""
    if isinstance(schema.get("type"), type):
        if not isinstance(value, schema["type"]):
            raise ProblemError(422, f"{path}: Invalid value: {value!r}")
        if schema["type"] is int and not schema["least"] <= value <= schema["most"]:
            raise ProblemError(
                422, f"{path}: Invalid value: {value}: should be between {schema['least']} and {schema['most']}"
            )
        return
    if not isinstance(value, dict):
        raise ProblemError(422, f"{path}: an object is expected")
    for name, inner in value.items():
        known = schema.get(name, schema.get("*"))
        if known is None:
            raise ProblemError(400, f'strict decoding error: unknown field "{path}.{name}"'.replace('".', '"'))
        check(inner, known, f"{path}.{name}".lstrip("."))


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
        token: what clients have to present.
    """

    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: int = 1
    loads: Callable[[str], bool] = lambda _: True
    token: str = "secret"
    _left: dict[str, int] = field(default_factory=dict)

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
        service = self.services[name]
        return dict(service["status"].get("traffic", {}))

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
            self._reconcile(service)
        return service

    def _create(self, request: Request, namespace: str) -> Any:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise ProblemError(401, "Unauthorized")
        check(request.body, SCHEMA)
        key = f"{namespace}/{request.body['metadata']['name']}"
        if key in self.services:
            raise ProblemError(409, "already exists")
        self.services[key] = {**copy.deepcopy(request.body), "status": {}}
        self.services[key]["metadata"] |= {"generation": 1, "resourceVersion": "1"}
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
        check(new, SCHEMA)
        changed = new["spec"] != service["spec"]
        service["spec"] = new["spec"]
        service["metadata"]["annotations"] = new["metadata"]["annotations"]
        service["metadata"]["generation"] += changed
        self._left[key] = self.looks
        return service

    def _delete(self, request: Request, namespace: str, name: str) -> Any:
        self._known(request, f"{namespace}/{name}")
        del self.services[f"{namespace}/{name}"]
        return {"status": "Success"}

    def _reconcile(self, service: dict[str, Any]) -> None:
        """What KServe's controller does: load, then shift the traffic; a model that does not load gets none."""
        predictor, status = service["spec"]["predictor"], service["status"]
        uri = predictor["model"]["storageUri"]
        before = status.get("traffic", {})
        status["observedGeneration"] = service["metadata"]["generation"]
        if not self.loads(uri):
            status["modelStatus"] = {
                "transitionStatus": "BlockedByFailedLoad",
                "lastFailureInfo": {"message": f"failed to load {uri}"},
            }
            status["conditions"] = [{"type": "Ready", "status": "False"}]
            return
        share = predictor.get("canaryTrafficPercent", 100)
        rest = next((known for known in sorted(before, key=lambda k: -before[k]) if known != uri), None)
        status["traffic"] = (
            {uri: share, **({rest: 100 - share} if rest and share < 100 else {})} if rest else {uri: 100}
        )
        status["modelStatus"] = {"transitionStatus": "UpToDate"}
        status["conditions"] = [{"type": "Ready", "status": "True"}]

    def error(self, problem: ProblemError) -> Any:
        """See `Rest.error`."""
        return {"kind": "Status", "status": "Failure", "message": problem.message, "code": problem.status}
