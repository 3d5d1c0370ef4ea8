"""Vertex AI: versions in the Model Registry, and if asked for, traffic at an Endpoint.

``vertex://PROJECT/LOCATION/MODEL?storage=gs://bucket/folder&container=IMAGE``, and optionally ``endpoint=ID``,
``traffic=10`` (percent for a new version, the rest stays with the one before; 100 by default), ``machine=n1-standard-2``,
``service_account=...``. The files lie at ``storage`` in TensorFlow Serving's layout. The registry's version carries the
alias ``v<number>``, and the champion's the alias ``champion``: it is moved last, so that it tells a finished push.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sluice.errors import SluiceError
from sluice.progress import progress
from sluice.promotion.destinations import base

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.promotion.destinations.base import Destination

CHAMPION = "champion"
DEPLOYED = re.compile(r"v[0-9]+")
"""Display names of what we deploy."""
OPTIONAL = ("endpoint", "traffic", "machine", "service_account")


@dataclass(frozen=True)
class VertexModel:
    """A model of the registry, and perhaps an endpoint.

    Attributes:
        uri: as the use case has it.
        project: Google Cloud project.
        location: region.
        model: the model's ID in the registry; it is made by the first push.
        files: where the versions' files lie.
        options: the URI's options.
    """

    uri: str
    project: str
    location: str
    model: str
    files: Destination
    options: dict[str, str]

    @classmethod
    def at(cls, uri: str) -> VertexModel:
        """See `base.at`."""
        parts = urlsplit(uri)
        path = parts.path.strip("/").split("/")
        if not parts.netloc or len(path) != 2 or not all(path):
            raise SluiceError("not a Vertex AI model", where=uri,
                              remedy="write vertex://PROJECT/LOCATION/MODEL?storage=gs://bucket/folder&container=IMAGE")  # fmt: skip
        given = base.options(uri, required=("storage", "container"), optional=OPTIONAL)
        base.percent(given, "traffic", uri)
        return cls(uri, parts.netloc, path[0], path[1], base.at(given["storage"]), given)

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
        """See `Destination.publish`: files, registry, traffic, alias."""
        self.files.publish(name, version)
        with _said(self.uri):
            if self._registered(version) is None:
                self._upload(version)
            self._give(version, 100 if at_once else base.percent(self.options, "traffic", self.uri))
            self._crown(version)

    def serves(self, version: int) -> bool:
        """See `Destination.serves`."""
        with _said(self.uri):
            found = self._registered(version)
            return self.files.serves(version) and found is not None and CHAMPION in found.version_aliases

    def withdraw(self, version: int, previous: int | None) -> None:
        """See `Destination.withdraw`."""
        with _said(self.uri):
            if previous is not None:
                self._give(previous, 100)
                self._crown(previous)
            self._undeploy(lambda known: known == version)
            self._unregister(version)
        self.files.withdraw(version, previous)

    def route(self, version: int, percent: int) -> None:
        """See `Router.route`."""
        if not self.options.get("endpoint"):
            raise SluiceError(
                "there is no endpoint to route traffic at", where=self.uri, remedy="add endpoint=ID to the URI"
            )
        with _said(self.uri):
            self._give(version, percent)

    def fetch(self, version: int, out: Path) -> None:
        """See `Destination.fetch`."""
        self.files.fetch(version, out)

    def versions(self) -> list[int]:
        """See `Destination.versions`."""
        return self.files.versions()

    def remove(self, version: int) -> None:
        """See `Destination.remove`."""
        with _said(self.uri):
            deployed = self._deployed().get(version)
            if deployed and self._endpoint.traffic_split.get(deployed):
                progress(f"version {version} still has traffic at {self.uri}: it is kept")
                return
            self._undeploy(lambda known: known == version)
            self._unregister(version)
        self.files.remove(version)

    @property
    def _name(self) -> str:
        return f"projects/{self.project}/locations/{self.location}/models/{self.model}"

    @cached_property
    def _registry(self) -> Any:
        from google.cloud import aiplatform

        return aiplatform.models.ModelRegistry(self._name, location=self.location, project=self.project)

    @cached_property
    def _endpoint(self) -> Any:
        from google.cloud import aiplatform

        name = self.options.get("endpoint")
        return aiplatform.Endpoint(name, project=self.project, location=self.location) if name else None

    def _registered(self, version: int) -> Any:
        """What the registry says of a version; None where it does not have it."""
        from google.api_core.exceptions import NotFound

        try:
            return next((v for v in self._registry.list_versions() if f"v{version}" in v.version_aliases), None)
        except NotFound:
            return None

    def _upload(self, version: int) -> None:
        from google.api_core.exceptions import NotFound
        from google.cloud import aiplatform

        try:
            aiplatform.Model(self._name)
            known: dict[str, Any] = {"parent_model": self._name}
        except NotFound:
            known = {"model_id": self.model}
        aiplatform.Model.upload(
            **known, display_name=self.model, project=self.project, location=self.location,
            artifact_uri=f"{self.options['storage'].rstrip('/')}/{version}", is_default_version=False,
            serving_container_image_uri=self.options["container"], version_aliases=[f"v{version}"],
        )  # fmt: skip

    def _unregister(self, version: int) -> None:
        """Take a version out of the registry; the model as well, if there is no other. The default cannot be deleted."""
        found = self._registered(version)
        if found is None:
            return
        others = [other for other in self._registry.list_versions() if other.version_id != found.version_id]
        if not others:
            self._registry.get_model(found.version_id).delete()
            return
        if "default" in found.version_aliases:
            newest = max(others, key=lambda other: int(other.version_id))
            self._registry.add_version_aliases(["default"], newest.version_id)
        self._registry.delete_version(found.version_id)

    def _crown(self, version: int) -> None:
        """Move the alias of the champion."""
        found = self._registered(version)
        if CHAMPION not in found.version_aliases or "default" not in found.version_aliases:
            self._registry.add_version_aliases([CHAMPION, "default"], found.version_id)

    def _give(self, version: int, percent: int) -> None:
        """Give a version so much of the endpoint's traffic; without any, others are undeployed.

        Raises:
            SluiceError: others deploy there as well.
        """
        if self._endpoint is None:
            return
        ids = self._deployed()
        if foreign := [model.display_name for model in self._endpoint.list_models() if model.id not in ids.values()]:
            raise SluiceError(f"the endpoint has models that no push deployed ({', '.join(foreign)})", where=self.uri,
                              remedy="give this model an endpoint of its own")  # fmt: skip
        if version not in ids:
            self._deploy(version, percent if ids else 100)
        ours = self._deployed()[version]
        split = self._endpoint.traffic_split
        others = {model: share for model, share in split.items() if model != ours and share}
        if not others:
            percent = 100
        if split.get(ours) != percent:
            left = 100 - percent
            most = max(others, key=lambda model: others[model], default="")
            self._endpoint.update(traffic_split={ours: percent, **({most: left} if left else {})})
        if percent == 100:
            self._undeploy(lambda known: known != version)

    def _deploy(self, version: int, percent: int) -> None:
        from google.cloud import aiplatform

        found = self._registered(version)
        if found is None:
            raise SluiceError(
                f"version {version} is not in the registry", where=self.uri, remedy="roll back to another version"
            )
        self._endpoint.deploy(
            aiplatform.Model(f"{self._name}@{found.version_id}"), deployed_model_display_name=f"v{version}",
            traffic_percentage=percent, machine_type=self.options.get("machine"),
            service_account=self.options.get("service_account"),
        )  # fmt: skip

    def _deployed(self) -> dict[int, str]:
        """Version to its ID at the endpoint; what others have deployed there does not count."""
        models = self._endpoint.list_models() if self._endpoint is not None else ()
        return {
            int(model.display_name[1:]): model.id for model in models
            if DEPLOYED.fullmatch(model.display_name) and model.model.partition("@")[0].endswith(f"/models/{self.model}")
        }  # fmt: skip

    def _undeploy(self, which: Callable[[int], bool]) -> None:
        for version, deployed in self._deployed().items():
            if which(version):
                self._endpoint.undeploy(deployed, traffic_split=None)


class _said:  # noqa: N801 - used as a context manager
    """Errors of Google's client, in words."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError

        if isinstance(error, GoogleAuthError):
            raise SluiceError(f"no usable Google credentials: {error}", where=self.uri,
                              remedy="give the step a service account, or run `gcloud auth application-default login`") from error  # fmt: skip
        if isinstance(error, exceptions.GoogleAPICallError):
            remedies = {
                exceptions.Forbidden: "give the service account roles/aiplatform.user in that project",
                exceptions.NotFound: "check project, location, model and endpoint in the URI",
                exceptions.TooManyRequests: "ask for more quota, name a smaller machine, or try again later",
            }
            remedy = next(
                (text for of, text in remedies.items() if isinstance(error, of)), "try again; see the service's status"
            )
            raise SluiceError(f"Vertex AI says: {error.message}", where=self.uri, remedy=remedy) from error
