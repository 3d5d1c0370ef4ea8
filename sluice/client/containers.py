"""Running compiled pipelines on this machine in their images, through KFP's DockerRunner on Docker or podman.

KFP 2.17's own handler has Docker remove a container as soon as it ends, and takes one that is gone for a success. The
handler here keeps each container until its exit code was read, and then removes it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import yaml

from sluice import storage
from sluice.client.compile import IMAGE_VARIABLE, Images
from sluice.client.local import Run
from sluice.errors import SluiceError
from sluice.examples import spans
from sluice.run import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.config.usecase import UseCase

USER = 10001
"""As whom containers run where this user is root: never as root."""
NOT_STARTED = 125
"""Exit status of a step whose container did not start, as the engines' command lines have it."""
SCRATCH = "/tmp"  # noqa: S108 - inside the container, whose only user it is


@dataclass
class ContainerRun(Run):
    """A run in containers.

    Attributes:
        mounts: folder of this machine to ``rw`` or ``ro``; containers see it under the same path.
    """

    mounts: dict[str, str] = field(default_factory=dict)

    def runner(self) -> Any:
        """See `Run.runner`."""
        from kfp import local

        return local.DockerRunner()

    @contextlib.contextmanager
    def _warm_interpreter(self) -> Iterator[None]:
        """Containers import for themselves."""
        yield

    @contextlib.contextmanager
    def _handler(self, log: IO[str]) -> Iterator[None]:
        from kfp.local import docker_task_handler as kfp_handler

        run, original = self, kfp_handler.DockerTaskHandler
        engine = _engine()
        _give(self.folder / "artifacts")
        for folder, mode in self.mounts.items():
            if mode == "rw":
                _give(Path(folder))

        class StepHandler(original):  # type: ignore[misc,valid-type]
            def run(self) -> Any:
                from kfp.local import status

                mounts = {self.pipeline_root: "rw", **run.mounts}
                volumes = {path: {"bind": path, "mode": mode} for path, mode in mounts.items()}
                succeeded = run.contain(engine, self.image, self.full_command, self.env_vars, volumes, log)
                return status.Status.SUCCESS if succeeded else status.Status.FAILURE

        kfp_handler.DockerTaskHandler = StepHandler
        try:
            yield
        finally:
            kfp_handler.DockerTaskHandler = original
            engine.close()

    def contain(
        self, engine: Any, image: str, command: list[str], env: dict[str, str], volumes: dict[str, Any], log: IO[str]
    ) -> bool:
        """Run one step's command in a container; returns whether it exited with 0."""
        import docker

        step, given = self.begin(command)
        try:
            _pull(engine, image)
            container = engine.containers.run(
                image, command, detach=True, user=f"{os.getuid() or USER}:{os.getgid() or USER}", volumes=volumes,
                environment={"HOME": SCRATCH, RUN_ID: self.id, **env}, network_mode="host", security_opt=["no-new-privileges"],
            )  # fmt: skip
        except SluiceError as error:
            return bool(self.end(step, given, NOT_STARTED, str(error)).succeeded)
        except docker.errors.APIError as error:
            said = f"the container cannot be started: {error.explanation}\n  check the engine, and that its folders are there"
            return bool(self.end(step, given, NOT_STARTED, said).succeeded)
        try:
            said = self.listen(step, _lines(container.logs(stream=True, follow=True)), log)
            status = int(container.wait()["StatusCode"])
        finally:
            container.remove(force=True)
        return bool(self.end(step, given, status, said).succeeded)


def _pull(engine: Any, image: str) -> None:
    """See that the engine has an image.

    Raises:
        SluiceError: it has not, and cannot get it.
    """
    import docker

    try:
        engine.images.get(image)
    except docker.errors.ImageNotFound:
        try:
            engine.images.pull(image)
        except docker.errors.APIError as error:
            raise SluiceError(f"the image {image} is not here and cannot be pulled: {error.explanation}",
                              remedy="build it: make images") from None  # fmt: skip


def prepared(spec: Path, use_case: UseCase, folder: Path) -> tuple[Path, dict[str, str]]:
    """A pipeline whose images have a registry, and the folders of this machine that its steps need.

    Args:
        spec: the compiled pipeline.
        use_case: whose registry, source, ledger and destination they are.
        folder: where the completed pipeline is written.
    """
    platform = use_case.platform
    images = Images(platform.registry or "localhost/sluice", platform.tag, platform.digests)
    documents = list(yaml.safe_load_all(spec.read_text()))
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        container["image"] = images.complete(container["image"])
        for variable in container.get("env", []):
            if variable["name"] == IMAGE_VARIABLE:
                variable["value"] = container["image"]
    folder.mkdir(parents=True, exist_ok=True)
    completed = folder / "pipeline.yaml"
    completed.write_text(yaml.safe_dump_all(documents))
    mounts = {}
    if storage.is_local(use_case.source.uri):
        mounts[str(storage.local_path(spans.fixed_folder(use_case.source.uri)[0]))] = "ro"
    for uri in (use_case.ledger, *use_case.destination):
        if storage.is_local(uri):
            mounts[str(storage.local_path(uri))] = "rw"
    return completed, mounts


def _engine() -> Any:
    """The container engine's client.

    Raises:
        SluiceError: none answers.
    """
    import docker

    try:
        engine = docker.from_env()
        engine.ping()
    except docker.errors.DockerException as error:
        raise SluiceError(f"no container engine answers: {error}", where=os.environ.get("DOCKER_HOST", "Docker's socket"),
                          remedy="start Docker, or podman's service and set DOCKER_HOST; or leave out --runner containers") from None  # fmt: skip
    return engine


def _give(folder: Path) -> None:
    """Make a folder, and give it to the user of the containers where this one is root."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)


def _lines(chunks: Any) -> Iterator[str]:
    """A container's log as lines."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (f"{line.decode(errors='replace')}\n" for line in whole)
    if rest:
        yield rest.decode(errors="replace")
