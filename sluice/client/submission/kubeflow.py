"""Kubeflow Pipelines."""

from __future__ import annotations

import contextlib
import io
import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.client.submission.request import Run, Schedule, ServiceError, State, Step, Work
from sluice.errors import SluiceError, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.config.platform import Kubeflow
    from sluice.config.usecase import UseCase

STATES = {
    "PENDING": State.PENDING, "RUNNING": State.RUNNING, "SUCCEEDED": State.SUCCEEDED, "SKIPPED": State.SKIPPED,
    "CACHED": State.SUCCEEDED, "FAILED": State.FAILED, "CANCELING": State.RUNNING, "CANCELED": State.CANCELLED, "PAUSED": State.PENDING,
    "OMITTED": State.SKIPPED,
}  # fmt: skip
"""Kubeflow's states of runs and of tasks."""
IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
"""Kubeflow's service as pods see it."""


class KubeflowPipelines:
    """Runs on Kubeflow Pipelines; see `Target`."""

    def __init__(self, use_case: UseCase) -> None:
        self.settings: Kubeflow = use_case.platform.kubeflow

    @property
    def run_page(self) -> str:
        """See `Target.run_page`."""
        return f"{self.settings.host.rstrip('/')}/#/runs/details/{{id}}" if self.settings.host else ""

    def request(self, work: Work) -> dict[str, Any]:
        """See `Target.request`."""
        spec, *pods = work.documents
        return {
            "display_name": work.name, "experiment": self.settings.experiment, "service_account": self.settings.service_account,
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": pods[0] if pods else {}},
            "runtime_config": {"parameters": work.arguments, "pipeline_root": self.settings.pipeline_root},
        }  # fmt: skip

    def submit(self, work: Work) -> Run:
        """See `Target.submit`.

        Kubeflow's names are not unique: the first run of a name in the experiment is the one that counts, and where
        two were started at the same moment the later is ended.
        """
        with said(), _quietly(), work.file() as path:
            experiment = self._experiment()
            if found := self._runs(work.name, experiment):
                return self._told(found[0], known=True)
            started = self._client.run_pipeline(
                experiment_id=experiment, job_name=work.name, pipeline_package_path=path, params=work.arguments,
                pipeline_root=self.settings.pipeline_root or None, service_account=self.settings.service_account or None,
                enable_caching=None if work.use_case.platform.caching else False,
            )  # fmt: skip
            first = (self._runs(work.name, experiment) or [started])[0]
            if first.run_id != started.run_id:
                self._client.terminate_run(started.run_id)
                return self._told(first, known=True)
            return self._told(started)

    def schedule(self, work: Work, cron: str) -> Schedule:
        """See `Target.schedule`; Kubeflow's expressions begin with seconds."""
        expression = cron if len(cron.split()) == 6 else f"0 {cron}"
        with said(), _quietly(), work.file() as path:
            experiment = self._experiment()
            known = self._client.list_recurring_runs(
                page_size=100, experiment_id=experiment, filter=_named(work.use_case.name)
            ).recurring_runs  # fmt: skip
            for schedule in known or []:
                trigger = schedule.trigger.cron_schedule
                if schedule.status == "ENABLED" and trigger and trigger.cron == expression:
                    return Schedule(f"schedules/{schedule.recurring_run_id}", known=True)
            made = self._client.create_recurring_run(
                experiment_id=experiment, job_name=work.use_case.name, cron_expression=expression, max_concurrency=1,
                params=work.arguments, pipeline_package_path=path, pipeline_root=self.settings.pipeline_root or None,
                service_account=self.settings.service_account or None, no_catchup=True,
                enable_caching=None if work.use_case.platform.caching else False,
            )  # fmt: skip
            return Schedule(f"schedules/{made.recurring_run_id}")

    def unschedule(self, schedule: str) -> None:
        """See `Target.unschedule`."""
        with said():
            self._client.delete_recurring_run(schedule.rpartition("/")[2])

    def get(self, run: str) -> Run:
        """See `Target.get`."""
        with said():
            return self._told(self._client.get_run(run))

    def cancel(self, run: str) -> Run:
        """See `Target.cancel`."""
        with said():
            if not self._told(self._client.get_run(run)).state.ended:
                self._client.terminate_run(run)
            return self._told(self._client.get_run(run))

    def logs(self, run: Run, step: Step) -> Iterator[str]:
        """See `Target.logs`: the log of the step's pod."""
        if not step.log:
            return
        with said():
            answer = self._client._run_api.api_client.call_api(
                f"/apis/v1alpha1/runs/{run.id}/nodes/{step.log}/log", "GET", auth_settings=["Bearer"], _preload_content=False,
                _return_http_data_only=True,
            )  # fmt: skip
            yield from answer.data.decode(errors="replace").splitlines()

    @cached_property
    def _client(self) -> Any:
        """Connected when it is first needed: a dry run needs no service."""
        import kfp

        host, token, credentials = self._access()
        if host:
            _check(host, token)
        elif not any(file.is_file() for file in _kubeconfigs()):
            raise SluiceError("platform.kubeflow.host is not set, and there is no kubeconfig", where="sluice.yaml",
                              remedy="set it there, or with --set platform.kubeflow.host=https://...")  # fmt: skip
        try:
            return kfp.Client(host=host or None, existing_token=None if credentials else token or None,
                              credentials=credentials, namespace=self.settings.namespace or "kubeflow")  # fmt: skip
        except Exception as error:
            raise SluiceError(f"no connection to Kubeflow: {error}", where="platform.kubeflow",
                              remedy="set platform.kubeflow.host, or run it inside the cluster") from None  # fmt: skip

    def _access(self) -> tuple[str, str, Any]:
        """Host, token, and inside the cluster what reads the pod's own token anew when it has been changed."""
        from kfp.client import (
            KF_PIPELINES_SA_TOKEN_ENV,
            KF_PIPELINES_SA_TOKEN_PATH,
            ServiceAccountTokenVolumeCredentials,
        )

        inside = "KUBERNETES_SERVICE_HOST" in os.environ
        host = self.settings.host or (IN_CLUSTER if inside else "")
        if name := self.settings.token_variable:
            if not os.environ.get(name):
                raise SluiceError(f"the environment variable {name} is not set", where="platform.kubeflow.token_variable",
                                  remedy=f"export {name} with a bearer token for {host}")  # fmt: skip
            return host, os.environ[name], None
        file = Path(os.environ.get(KF_PIPELINES_SA_TOKEN_ENV, KF_PIPELINES_SA_TOKEN_PATH))
        if inside and file.is_file():
            return host, file.read_text().strip(), ServiceAccountTokenVolumeCredentials(str(file))
        return host, "", None

    def _experiment(self) -> str:
        made = self._client.create_experiment(self.settings.experiment, namespace=self.settings.namespace or None)
        return str(made.experiment_id)

    def _runs(self, name: str, experiment: str) -> list[Any]:
        """Runs of this name in the experiment, the first one first."""
        found = self._client.list_runs(page_size=100, experiment_id=experiment, filter=_named(name)).runs or []
        return sorted(found, key=lambda run: (run.created_at, run.run_id))

    def _told(self, run: Any, *, known: bool = False) -> Run:
        details = (run.run_details.task_details or []) if run.run_details else []
        steps = tuple(
            Step(
                task.display_name,
                STATES.get(task.state, State.PENDING),
                task.error.message if task.error else "",
                _pod(task),
            )
            for task in details
            if _pod(task)
        )
        error = run.error.message if run.error else ""
        url = self.run_page.format(id=run.run_id)
        return Run(run.run_id, STATES.get(run.state, State.PENDING), steps, error, url, known)


def _kubeconfigs() -> list[Path]:
    """Where kfp's client looks for a cluster when it is given no host, but for the cluster's inside."""
    given = os.environ.get("KUBECONFIG", "")
    return [Path(file) for file in given.split(os.pathsep) if file] or [Path.home() / ".kube" / "config"]


def _named(name: str) -> str:
    """Kubeflow's filter by name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "name", "stringValue": name}]})


def _pod(task: Any) -> str:
    """The pod of a task that runs code; drivers and groups have none of their own."""
    children = [child.pod_name for child in task.child_tasks or [] if child.pod_name]
    return str(task.pod_name or (children[0] if children else ""))


def _check(host: str, token: str) -> None:
    """See that the service answers; kfp's client would try for half a minute and keep the reason to itself."""
    import urllib3

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{host.rstrip('/')}/apis/v2beta1/healthz"
    try:
        answer = urllib3.PoolManager(timeout=10.0, retries=False).request("GET", url, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise ServiceError(f"Kubeflow cannot be reached: {error}", where=host,
                           remedy="check platform.kubeflow.host and the network, and run it again") from None  # fmt: skip
    if answer.status != 200:
        raise _problem(answer.status, answer.data.decode(errors="replace"), host)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Kfp's client prints links, where ours are printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Errors of Kubeflow's client, in words."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _problem(error.status, error.body or "", "Kubeflow") from None
    except HTTPError as error:
        raise ServiceError(f"Kubeflow cannot be reached: {error}", where="platform.kubeflow.host",
                           remedy="check the host and the network, and run it again") from None  # fmt: skip


def _problem(status: int, body: str, where: str) -> SluiceError:
    try:
        known = json.loads(body)
        words = known.get("message") or known.get("error_message") or known.get("error", {}).get("message") or body
    except (ValueError, AttributeError):
        words = shorten(body, 200)
    if status == 401:
        return SluiceError(f"the token is missing or has expired: {words}", where=where,
                           remedy="get a new one, and export it in the variable that platform.kubeflow.token_variable names; "
                           "inside the cluster mount the service account's token for the audience pipelines.kubeflow.org")  # fmt: skip
    if status == 403:
        return SluiceError(f"not allowed: {words}", where=where,
                           remedy="check platform.kubeflow.namespace and the account's rights in it")  # fmt: skip
    if status == 404:
        return SluiceError(f"not there: {words}", where=where, remedy="check the run's ID and platform.kubeflow.host")
    if status in (429, 503, 502, 504):
        return ServiceError(f"the service has no room ({status}): {words}", where=where, remedy="run it again later")
    return SluiceError(f"the request was refused ({status}): {words}", where=where, remedy="nothing was started")
