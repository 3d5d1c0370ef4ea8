"""KServe: an ``InferenceService`` that serves the version, changed through the Kubernetes API.

``kserve://NAMESPACE/NAME?storage=s3://bucket/folder``, and optionally ``canary=10`` (percent of the traffic for a new
version until `sluice route` gives it more; 100 by default), ``format=tensorflow``, ``runtime=...``,
``service_account=...``, ``timeout=600`` (seconds to wait for readiness). The files of version 7 lie at
``storage/7/7/``: the storage URI ``storage/7`` is a folder of versions, as TensorFlow Serving wants it. Traffic is split
by Knative alone: where KServe runs in its standard mode, a canary is refused.

Inside a cluster the pod's own service account is used, elsewhere the kubeconfig. It needs get, create, patch and delete
on ``inferenceservices.serving.kserve.io``.

KServe's ``status.observedGeneration`` is that of the Knative service or deployment behind it, not of the InferenceService.
So every change notes what it was before (`BEFORE`), and the status speaks of the change once it is larger.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sluice.errors import SluiceError
from sluice.progress import progress
from sluice.promotion.destinations import base
from sluice.promotion.destinations.folder import ObjectStore
from sluice.storage import Store

if TYPE_CHECKING:
    from pathlib import Path

GROUP, API, PLURAL, KIND = "serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService"
VERSION, REST, BEFORE = "sluice.dev/version", "sluice.dev/rest", "sluice.dev/observed-before"
"""Annotations: the version; the version that has the rest of the traffic; ``observedGeneration`` before the change."""
OPTIONAL = ("canary", "format", "runtime", "service_account", "timeout")
POLL = 2.0
"""Seconds between two looks at the service."""
ATTEMPTS = 5


@dataclass(frozen=True)
class InferenceService:
    """An InferenceService.

    Attributes:
        uri: as the use case has it.
        namespace: its namespace.
        name: its name; it is made by the first push.
        files: where the versions' files lie.
        options: the URI's options.
    """

    uri: str
    namespace: str
    name: str
    files: ObjectStore
    options: dict[str, str]

    @classmethod
    def at(cls, uri: str) -> InferenceService:
        """See `base.at`."""
        parts = urlsplit(uri)
        name = parts.path.strip("/")
        if not parts.netloc or not name or "/" in name:
            raise SluiceError("not an InferenceService", where=uri,
                              remedy="write kserve://NAMESPACE/NAME?storage=s3://bucket/folder")  # fmt: skip
        given = base.options(uri, required=("storage",), optional=OPTIONAL)
        base.percent(given, "canary", uri)
        if not given.get("timeout", "600").isdigit():
            raise SluiceError(f"timeout={given['timeout']} is no number of seconds", where=uri)
        files = ObjectStore(given["storage"], Store.at(given["storage"]), nested=True)
        return cls(uri, parts.netloc, name, files, given)

    def stage(self, model: Path, name: str) -> str:
        """See `Destination.stage`."""
        return self.files.stage(model, name)

    def discard(self, name: str) -> None:
        """See `Destination.discard`."""
        self.files.discard(name)

    def staged(self) -> list[str]:
        """See `Destination.staged`."""
        return self.files.staged()

    def publish(self, name: str, version: int, *, at_once: bool = False) -> None:
        """See `Destination.publish`: files, then the service, then its readiness.

        Raises:
            SluiceError: it does not become ready; says what KServe said.
        """
        self.files.publish(name, version)
        service = self._get()
        if service is not None and not _version(service):
            raise SluiceError("there is an InferenceService of that name already, which no push has made", where=self.uri,
                              remedy="name another, or delete it")  # fmt: skip
        if service is None or _version(service) != version:
            self._serve(version, 100 if at_once else base.percent(self.options, "canary", self.uri))
        self._wait(version)

    def serves(self, version: int) -> bool:
        """See `Destination.serves`."""
        service = self._get()
        return self.files.serves(version) and service is not None and _version(service) == version and _ready(service)

    def withdraw(self, version: int, previous: int | None) -> None:
        """See `Destination.withdraw`."""
        service = self._get()
        if service is not None and _version(service) == version:
            if previous is None:
                self._call("delete_namespaced_custom_object", name=self.name)
            else:
                self._serve(previous, 100)
                self._wait(previous)
        self.files.withdraw(version, previous)

    def route(self, version: int, percent: int) -> None:
        """See `Router.route`."""
        service = self._get()
        if service is None or _version(service) != version:
            raise SluiceError(f"version {version} is not what the InferenceService has", where=self.uri,
                              remedy="someone else changed it: push again, or roll back")  # fmt: skip
        self._serve(version, percent)
        self._wait(version)

    def fetch(self, version: int, out: Path) -> None:
        """See `Destination.fetch`."""
        self.files.fetch(version, out)

    def versions(self) -> list[int]:
        """See `Destination.versions`."""
        return self.files.versions()

    def remove(self, version: int) -> None:
        """See `Destination.remove`."""
        service = self._get()
        if service is not None and version in (_version(service), _rest(service)):
            progress(f"version {version} still has traffic at {self.uri}: it is kept")
        else:
            self.files.remove(version)

    @cached_property
    def _api(self) -> Any:
        from kubernetes import client, config

        try:
            config.load_incluster_config()
        except config.ConfigException:
            try:
                config.load_kube_config()
            except (config.ConfigException, OSError) as error:
                raise SluiceError(f"no Kubernetes configuration: {error}", where=self.uri,
                                  remedy="run in a cluster, or set KUBECONFIG") from None  # fmt: skip
        return client.CustomObjectsApi()

    def _call(self, method: str, *, let: int = 0, **arguments: Any) -> Any:
        """Call the API; errors in words, but for the status that the caller wants to see itself."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return getattr(self._api, method)(
                group=GROUP, version=API, namespace=self.namespace, plural=PLURAL, _request_timeout=30, **arguments
            )
        except ApiException as error:
            if error.status == let:
                raise
            remedies = {
                401: "the token has expired: log in again",
                403: f"allow get, create, patch and delete on {PLURAL}.{GROUP} in the namespace {self.namespace}",
                404: f"is KServe installed in the cluster, and is the namespace {self.namespace} there?",
                422: "see to the options in the URI",
            }
            raise SluiceError(f"Kubernetes says {error.status}: {_message(error)}", where=self.uri,
                              remedy=remedies.get(error.status, "try again; see to the cluster")) from error  # fmt: skip
        except HTTPError as error:
            raise SluiceError(f"the Kubernetes API does not answer: {error}", where=self.uri,
                              remedy="check the cluster's address and network") from error  # fmt: skip

    def _get(self) -> dict[str, Any] | None:
        from kubernetes.client import ApiException

        try:
            found: dict[str, Any] = self._call("get_namespaced_custom_object", name=self.name, let=404)
        except ApiException:
            return None
        return found

    def _serve(self, version: int, share: int) -> None:
        """Make or change the service, so that it serves a version with a share of the traffic.

        Raises:
            SluiceError: Kubernetes refuses, or the service cannot split its traffic.
        """
        from kubernetes.client import ApiException

        for _ in range(ATTEMPTS):
            service = self._get()
            if service is not None:
                if (_version(service), _share(service)) != (version, share):  # else nothing would be seen to change
                    self._change(service, version, share)
                return
            body = {"apiVersion": f"{GROUP}/{API}", "kind": KIND, **self._body(version, {})}
            body["metadata"] |= {"name": self.name, "namespace": self.namespace}
            try:
                self._call("create_namespaced_custom_object", body=body, let=409)
            except ApiException:
                continue  # another run has just made it
            return
        raise SluiceError("the InferenceService comes and goes", where=self.uri, remedy="see who else changes it")

    def _change(self, service: dict[str, Any], version: int, share: int) -> None:
        if share < 100 and not _splits(service):
            raise SluiceError("this InferenceService does not split traffic: KServe runs it without Knative", where=self.uri,
                              remedy="leave out canary=..., or run it in KServe's Knative (serverless) mode")  # fmt: skip
        rest = _version(service) if _version(service) != version and _share(service) == 100 else _rest(service)
        body = self._body(version, {REST: str(rest), BEFORE: str(_observed(service))})
        body["spec"]["predictor"]["canaryTrafficPercent"] = (
            share if share < 100 else None
        )  # a merge patch removes nulls
        self._call("patch_namespaced_custom_object", name=self.name, body=body)

    def _body(self, version: int, annotations: dict[str, str]) -> dict[str, Any]:
        model = {
            "modelFormat": {"name": self.options.get("format", "tensorflow")},
            "storageUri": f"{self.options['storage'].rstrip('/')}/{version}",
            **({"runtime": self.options["runtime"]} if "runtime" in self.options else {}),
        }
        predictor: dict[str, Any] = {"model": model}
        if "service_account" in self.options:
            predictor["serviceAccountName"] = self.options["service_account"]
        return {"metadata": {"annotations": {VERSION: str(version), **annotations}}, "spec": {"predictor": predictor}}

    def _wait(self, version: int) -> None:
        limit = float(self.options.get("timeout", "600"))
        progress(f"waiting for {self.namespace}/{self.name} to serve version {version}")
        start, said = time.monotonic(), ""
        while time.monotonic() - start < limit:
            service = self._get()
            if service is None:
                raise SluiceError(
                    "the InferenceService was removed by someone else", where=self.uri, remedy="push again"
                )
            if _ready(service):
                return
            state = service.get("status", {}).get("modelStatus", {})
            said = state.get("lastFailureInfo", {}).get("message", "")
            if _seen(service) and state.get("transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec"):
                raise SluiceError(f"KServe cannot load version {version}: {said or state['transitionStatus']}", where=self.uri,
                                  remedy="see the predictor's log")  # fmt: skip
            time.sleep(POLL)
        raise SluiceError(f"version {version} was not ready within {limit:.0f} s{said and f' ({said})'}", where=self.uri,
                          remedy="see the predictor's events and log, or give it more with timeout=...")  # fmt: skip


def _annotation(service: dict[str, Any], name: str) -> int:
    return int(service["metadata"].get("annotations", {}).get(name, 0))


def _version(service: dict[str, Any]) -> int:
    return _annotation(service, VERSION)


def _share(service: dict[str, Any]) -> int:
    """How much of the traffic the version is given."""
    return int(service["spec"]["predictor"].get("canaryTrafficPercent", 100))


def _rest(service: dict[str, Any]) -> int:
    """The version that has the rest of the traffic, the last that had all of it; 0 where none has."""
    return _annotation(service, REST) if _share(service) < 100 else 0


def _splits(service: dict[str, Any]) -> bool:
    """Whether traffic can be split: Knative alone tells who has how much."""
    return bool(service.get("status", {}).get("components", {}).get("predictor", {}).get("traffic"))


def _observed(service: dict[str, Any]) -> int:
    return int(service.get("status", {}).get("observedGeneration", 0))


def _seen(service: dict[str, Any]) -> bool:
    """Whether the status speaks of the service as it was changed last."""
    return _observed(service) > _annotation(service, BEFORE)


def _ready(service: dict[str, Any]) -> bool:
    conditions = service.get("status", {}).get("conditions", [])
    return _seen(service) and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _message(error: Any) -> str:
    import json

    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
