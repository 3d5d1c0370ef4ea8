"""A step's settings in a compiled pipeline: resources, retries and caching for every target, pods for Kubernetes.

KFP keeps them with tasks, and a compiled pipeline has none to set them on. So they are set, by kfp's and kfp-kubernetes'
own functions, on a stand-in task per step; what those compile to is put where the step is.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sluice.config.platform import Kubernetes, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Iterator


def step_of(name: str) -> str:
    """The step's name in that of an executor or task: ``exec-refuse-2`` is ``refuse``."""
    return re.sub(r"-\d+$", "", name.removeprefix("exec-"))


def settle(spec: dict[str, Any], given: dict[str, Resources]) -> None:
    """Put every step's resources, retries and caching into a pipeline spec."""
    executors = spec["deploymentSpec"]["executors"]
    made = {step: _stand_in(step, resources(step, given)) for step in {step_of(name) for name in executors}}
    for name, executor in executors.items():
        container, _, _ = made[step_of(name)]
        executor["container"] |= {key: container[key] for key in ("resources",) if key in container}
    for name, task in _tasks(spec):
        if step_of(name) in made and "dag" not in spec["components"][task["componentRef"]["name"]]:
            _, stand_in, _ = made[step_of(name)]
            task |= {key: stand_in[key] for key in ("retryPolicy",) if key in stand_in}
            if not given.get(step_of(name), Resources()).cache:
                task["cachingOptions"] = {}


def kubernetes_document(spec: dict[str, Any], settings: Kubernetes) -> dict[str, Any]:
    """The second document of a Kubeflow build: the settings of every step's pod."""
    executors = {}
    for name in spec["deploymentSpec"]["executors"]:
        _, _, pod = _stand_in(step_of(name), Resources(), settings)
        executors[name] = pod
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _tasks(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All tasks of a pipeline, nested ones too."""
    for component in (spec["root"], *spec["components"].values()):
        yield from component.get("dag", {}).get("tasks", {}).items()


def _stand_in(
    step: str, wanted: Resources, pods: Kubernetes | None = None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What the settings of a step compile to: its container, its task, its pod."""
    from kfp import compiler, dsl

    @dsl.container_component
    def stand_in():  # type: ignore[no-untyped-def]
        return dsl.ContainerSpec(image="none", command=["none"])

    @dsl.pipeline(name="stand-in")
    def pipeline():  # type: ignore[no-untyped-def]
        task = stand_in()
        if wanted.cpu:
            task.set_cpu_limit(wanted.cpu)
        if wanted.memory:
            task.set_memory_limit(wanted.memory)
        if wanted.accelerators:
            task.set_accelerator_type(wanted.accelerator).set_accelerator_limit(wanted.accelerators)
        if wanted.retries:
            task.set_retry(wanted.retries, backoff_duration="30s")
        if pods:
            _settle_pod(task, step, pods)

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "stand-in.yaml"
        compiler.Compiler().compile(pipeline, str(file))
        spec, *platform = yaml.safe_load_all(file.read_text())
    pod = platform[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-stand-in"] if platform else {}
    return (
        spec["deploymentSpec"]["executors"]["exec-stand-in"]["container"],
        spec["root"]["dag"]["tasks"]["stand-in"],
        pod,
    )


def _settle_pod(task: Any, step: str, pods: Kubernetes) -> None:
    """Set what kfp-kubernetes can set."""
    from kfp import kubernetes

    kubernetes.set_security_context(task, run_as_user=pods.run_as_user, run_as_non_root=True)
    for secret in pods.secrets:
        if not secret.steps or step in secret.steps:
            if secret.env:
                kubernetes.use_secret_as_env(task, secret.name, secret.env)
            if secret.mount:
                kubernetes.use_secret_as_volume(task, secret.name, secret.mount)
    for volume in pods.volumes:
        if not volume.steps or step in volume.steps:
            kubernetes.mount_pvc(task, volume.claim, volume.mount, volume.sub_path)
    for label, value in pods.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for taint in pods.tolerations:
        kubernetes.add_toleration(task, key=taint.key or None, operator=taint.operator, value=taint.value or None,
                                  effect=taint.effect or None)  # fmt: skip
    if pods.pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(pods.pull_secrets))
    if pods.timeout_seconds:
        kubernetes.set_timeout(task, pods.timeout_seconds)
    for label, value in pods.labels.items():
        kubernetes.add_pod_label(task, label, value)
    for label, value in pods.annotations.items():
        kubernetes.add_pod_annotation(task, label, value)
