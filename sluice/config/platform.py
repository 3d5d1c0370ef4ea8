"""Where and how a pipeline runs: resources per step, and what Vertex AI, Kubeflow and Kubernetes need to know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.config.base import Strict

DIGEST = r"^sha256:[0-9a-f]{64}$"
QUANTITY = r"^([0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti|K|M|G|T)?)?$"


class Resources(Strict):
    """What one step may use. What is empty is left to `DEFAULTS`.

    Attributes:
        cpu: CPU limit, Kubernetes notation.
        memory: memory limit, Kubernetes notation.
        accelerator: accelerator type, e.g. ``NVIDIA_TESLA_T4`` on Vertex AI or ``nvidia.com/gpu`` on Kubernetes.
        accelerators: number of them.
        retries: how often a failed step is tried again.
        cache: whether an earlier run's result may be taken where nothing has changed; resolve, push and refuse never do.
    """

    cpu: str = Field(default="", pattern=QUANTITY)
    memory: str = Field(default="", pattern=QUANTITY)
    accelerator: str = ""
    accelerators: int = Field(default=0, ge=0)
    retries: int = Field(default=0, ge=0, le=10)
    cache: bool = True


DEFAULTS = {
    "resolve": Resources(cpu="1", memory="2Gi"),
    "ingest": Resources(cpu="2", memory="4Gi"),
    "validate": Resources(cpu="2", memory="4Gi"),
    "transform": Resources(cpu="2", memory="4Gi"),
    "train": Resources(cpu="4", memory="8Gi"),
    "evaluate": Resources(cpu="2", memory="4Gi"),
    "probe": Resources(cpu="2", memory="4Gi"),
    "push": Resources(cpu="1", memory="2Gi"),
    "refuse": Resources(cpu="1", memory="1Gi"),
}
"""Limits of each step of the training pipeline, enough for some million rows."""


def resources(step: str, given: dict[str, Resources]) -> Resources:
    """What a step may use: what the use case says, and where it says nothing, the default."""
    default, own = DEFAULTS.get(step, Resources(cpu="1", memory="2Gi")), given.get(step, Resources())
    return own.model_copy(update={"cpu": own.cpu or default.cpu, "memory": own.memory or default.memory})


class Secret(Strict):
    """A Kubernetes secret that steps get; its values never stand in a file of ours.

    Attributes:
        name: the secret's name.
        env: key in the secret to the environment variable that gets its value.
        mount: folder at which its keys appear as files.
        steps: which steps get it; empty: all.
    """

    name: str
    env: dict[str, str] = Field(default_factory=dict)
    mount: str = ""
    steps: tuple[str, ...] = ()


class Volume(Strict):
    """A persistent volume claim that steps mount.

    Attributes:
        claim: the claim's name.
        mount: folder at which it appears.
        sub_path: folder inside the volume.
        steps: which steps mount it; empty: all.
    """

    claim: str
    mount: str
    sub_path: str = ""
    steps: tuple[str, ...] = ()


class Toleration(Strict):
    """A taint that steps tolerate, as Kubernetes has it."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["", "NoExecute", "NoSchedule", "PreferNoSchedule"] = ""


class Kubernetes(Strict):
    """Settings of the pods, for the Kubeflow build.

    Attributes:
        secrets: secrets that steps get.
        volumes: volume claims that steps mount.
        node_selector: label to value.
        tolerations: taints that steps tolerate.
        pull_secrets: secrets by which images are pulled.
        timeout_seconds: how long a step may run; 0: without end.
        labels: labels of the pods.
        annotations: annotations of the pods.
        run_as_user: user ID of the steps; never root.
    """

    secrets: tuple[Secret, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    timeout_seconds: int = Field(default=0, ge=0)
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    run_as_user: int = Field(default=10001, ge=1)


class Vertex(Strict):
    """Submission to Vertex AI Pipelines.

    Attributes:
        project: Google Cloud project.
        location: region.
        pipeline_root: ``gs://`` folder for a run's artifacts.
        service_account: as which the steps run.
        network: full name of a VPC network to peer with.
        encryption_key: full name of a customer-managed key (CMEK).
        experiment: Vertex AI experiment that a run belongs to.
        labels: labels of the run.
    """

    project: str = ""
    location: str = ""
    pipeline_root: str = Field(default="", pattern=r"^(gs://.+)?$")
    service_account: str = ""
    network: str = ""
    encryption_key: str = ""
    experiment: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class Kubeflow(Strict):
    """Submission to Kubeflow Pipelines.

    Attributes:
        host: URL of the API, e.g. ``https://kubeflow.example.com/pipeline``; empty: the one of the cluster around.
        namespace: profile namespace of a multi-user installation; empty in a single-user one.
        experiment: experiment that a run belongs to.
        token_variable: environment variable that holds a bearer token; empty: none, or the cluster's own.
        pipeline_root: folder for a run's artifacts; empty: the installation's.
        service_account: Kubernetes service account as which the steps run.
    """

    host: str = Field(default="", pattern=r"^(https?://.+)?$")
    namespace: str = ""
    experiment: str = "Default"
    token_variable: str = ""
    pipeline_root: str = ""
    service_account: str = ""


class Platform(Strict):
    """Where and how the pipeline runs on a cluster.

    Attributes:
        registry: registry and path of the images, e.g. ``europe-docker.pkg.dev/my-project/sluice``.
        tag: tag of the images; empty: the library's version.
        digests: image name to digest, ``sha256:...``; goes before the tag.
        caching: whether steps may take an earlier run's results.
        kubernetes: settings of the pods.
        vertex: submission to Vertex AI.
        kubeflow: submission to Kubeflow.
    """

    registry: str = ""
    tag: str = ""
    digests: dict[str, Annotated[str, Field(pattern=DIGEST)]] = Field(default_factory=dict)
    caching: bool = True
    kubernetes: Kubernetes = Kubernetes()
    vertex: Vertex = Vertex()
    kubeflow: Kubeflow = Kubeflow()
