"""Vertex AI Pipelines."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

from sluice.client.submission.request import Run, Schedule, ServiceError, State, Step, Work
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.config.platform import Vertex
    from sluice.config.usecase import UseCase

STATES = {
    "PIPELINE_STATE_QUEUED": State.PENDING, "PIPELINE_STATE_PENDING": State.PENDING, "PIPELINE_STATE_RUNNING": State.RUNNING,
    "PIPELINE_STATE_SUCCEEDED": State.SUCCEEDED, "PIPELINE_STATE_FAILED": State.FAILED, "PIPELINE_STATE_CANCELLING": State.RUNNING,
    "PIPELINE_STATE_CANCELLED": State.CANCELLED, "PIPELINE_STATE_PAUSED": State.PENDING,
    "PENDING": State.PENDING, "RUNNING": State.RUNNING, "SUCCEEDED": State.SUCCEEDED, "CANCEL_PENDING": State.RUNNING,
    "CANCELLING": State.RUNNING, "CANCELLED": State.CANCELLED, "FAILED": State.FAILED, "SKIPPED": State.SKIPPED,
    "NOT_TRIGGERED": State.SKIPPED,
}  # fmt: skip
"""Vertex AI's states of jobs and of tasks."""
CONSOLE = "https://console.cloud.google.com/vertex-ai/locations/{location}/pipelines/runs/{id}?project={project}"


class VertexPipelines:
    """Runs on Vertex AI Pipelines; see `Target`."""

    def __init__(self, use_case: UseCase) -> None:
        self.settings: Vertex = use_case.platform.vertex
        for name in ("project", "location"):
            if not getattr(self.settings, name):
                raise SluiceError(f"platform.vertex.{name} is not set", where="sluice.yaml",
                                  remedy=f"set it there, or with --set platform.vertex.{name}=...")  # fmt: skip

    @property
    def run_page(self) -> str:
        """See `Target.run_page`; a job's name is its ID there."""
        return CONSOLE.format(location=self.settings.location, project=self.settings.project, id="{name}")

    def request(self, work: Work) -> dict[str, Any]:
        """See `Target.request`."""
        from google.auth.credentials import AnonymousCredentials

        with self._job(work, AnonymousCredentials()) as job, said():
            spec = job.to_dict()
        wanted = {"serviceAccount": self.settings.service_account, "network": self.settings.network}
        return {
            "parent": self._parent, "pipelineJobId": work.name,
            "pipelineJob": {**spec, **{name: value for name, value in wanted.items() if value}},
        }  # fmt: skip

    def submit(self, work: Work) -> Run:
        """See `Target.submit`: the key is the job's ID, of which Vertex AI takes only one."""
        from google.api_core.exceptions import Conflict

        with self._job(work) as job, said(), _quietly():
            try:
                job.submit(
                    service_account=self.settings.service_account or None, network=self.settings.network or None,
                    experiment=self.settings.experiment or None,
                )  # fmt: skip
            except Conflict:
                return self._told(self._get(work.name), known=True)
            except (RuntimeError, AttributeError) as error:  # both are the SDK's words for a failed association
                started = bool(job._gca_resource.name)
                if not self.settings.experiment or not (started or isinstance(error, RuntimeError)):
                    raise
                raise self._no_experiment(error, started=started) from None
            return self._told(job)

    def _no_experiment(self, error: Exception, *, started: bool) -> SluiceError:
        """What became of a run whose experiment could not be had."""
        where = "platform.vertex.experiment"
        if started:
            return ServiceError("the run was started, but could not be put into its experiment", where=where,
                                remedy="look at it with `sluice status`")  # fmt: skip
        return SluiceError(f"the experiment {self.settings.experiment!r} can neither be found nor made: {_words(error.__cause__ or error)}",
                           where=where, remedy="check its name and the account's rights; nothing was started")  # fmt: skip

    def schedule(self, work: Work, cron: str) -> Schedule:
        """See `Target.schedule`."""
        from google.cloud.aiplatform import PipelineJobSchedule

        name = work.use_case.name
        with self._job(work) as job, said(), _quietly():
            known = PipelineJobSchedule.list(
                filter=f'display_name="{name}" AND state="ACTIVE"', project=self.settings.project, location=self.settings.location,
            )  # fmt: skip
            if found := [schedule for schedule in known if schedule.cron == cron]:
                return Schedule(f"schedules/{found[0].name}", known=True)
            made = job.create_schedule(
                cron=cron, display_name=name, service_account=self.settings.service_account or None,
                network=self.settings.network or None, max_concurrent_run_count=1,
            )  # fmt: skip
            return Schedule(f"schedules/{made.name}")

    def unschedule(self, schedule: str) -> None:
        """See `Target.unschedule`."""
        from google.cloud.aiplatform import PipelineJobSchedule

        with said(), _quietly():
            PipelineJobSchedule.get(
                f"{self._parent}/schedules/{schedule.rpartition('/')[2]}", project=self.settings.project,
                location=self.settings.location,
            ).delete()  # fmt: skip

    def get(self, run: str) -> Run:
        """See `Target.get`."""
        with said():
            return self._told(self._get(run))

    def cancel(self, run: str) -> Run:
        """See `Target.cancel`."""
        with said(), _quietly():
            job = self._get(run)
            if not self._told(job).state.ended:
                job.cancel()
            return self._told(self._get(run))

    def logs(self, run: Run, step: Step) -> Iterator[str]:
        """See `Target.logs`: Cloud Logging's entries of the step's custom job."""
        if not step.log:
            return
        from google.cloud.aiplatform import initializer

        with said():
            client = logging_client(self.settings.project, initializer.global_config.credentials)
            job = step.log.rpartition("/")[2]
            for entry in client.list_entries(filter_=f'resource.type="ml_job" AND resource.labels.job_id="{job}"'):
                payload = entry.payload
                yield str(payload.get("message", payload) if isinstance(payload, dict) else payload)

    @property
    def _parent(self) -> str:
        return f"projects/{self.settings.project}/locations/{self.settings.location}"

    @contextlib.contextmanager
    def _job(self, work: Work, credentials: Any = None) -> Iterator[Any]:
        from google.cloud import aiplatform

        if not self.settings.pipeline_root:
            raise SluiceError("platform.vertex.pipeline_root is not set", where="sluice.yaml",
                              remedy="set it to a gs:// folder for the runs' artifacts")  # fmt: skip
        with work.file() as path, said():
            job = aiplatform.PipelineJob(
                display_name=work.use_case.name, template_path=path, job_id=work.name, parameter_values=work.arguments,
                pipeline_root=self.settings.pipeline_root, labels=self.settings.labels or None, project=self.settings.project,
                location=self.settings.location, encryption_spec_key_name=self.settings.encryption_key or None,
                enable_caching=None if work.use_case.platform.caching else False, credentials=credentials,
            )  # fmt: skip
        yield job

    def _get(self, run: str) -> Any:
        from google.cloud import aiplatform

        name = run if "/" in run else f"{self._parent}/pipelineJobs/{run}"
        return aiplatform.PipelineJob.get(name, project=self.settings.project, location=self.settings.location)

    def _told(self, job: Any, *, known: bool = False) -> Run:
        resource = job.gca_resource
        run = resource.name.rpartition("/")[2]
        steps = tuple(
            Step(
                task.task_name,
                STATES.get(task.state.name, State.PENDING),
                task.error.message,
                task.executor_detail.container_detail.main_job,
            )
            for task in resource.job_detail.task_details
            if task.executor_detail.container_detail.main_job or task.error.message
        )
        url = CONSOLE.format(location=self.settings.location, project=self.settings.project, id=run)
        return Run(run, STATES.get(resource.state.name, State.PENDING), steps, resource.error.message, url, known)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The SDK's chatter is left out; what it could not do, and went on without, is told in a line."""
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.startswith("google.cloud.aiplatform")
    ]
    for logger in loggers:
        logger.addFilter(_note)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_note)


def _note(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.ERROR:
        cause = record.exc_info[1] if record.exc_info else None
        sys.stderr.write(f"note: {record.getMessage()}{f': {cause}' if cause else ''}\n")
    return False


def logging_client(project: str, credentials: Any) -> Any:
    """Cloud Logging's client."""
    from google.cloud import logging

    return logging.Client(project=project, credentials=credentials, _use_grpc=False)


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Errors of Google's clients, in words."""
    from google.api_core import exceptions
    from google.auth import exceptions as auth
    from requests.exceptions import ConnectionError as NoConnectionError

    try:
        yield
    except auth.DefaultCredentialsError:
        raise SluiceError("there are no Google credentials", where="Vertex AI",
                          remedy="run `gcloud auth application-default login`, or give this machine a service account") from None  # fmt: skip
    except (auth.RefreshError, exceptions.Unauthorized) as error:
        raise SluiceError(f"the credentials have expired or were revoked: {_words(error)}", where="Vertex AI",
                          remedy="run `gcloud auth application-default login` again") from None  # fmt: skip
    except (auth.TransportError, NoConnectionError, exceptions.RetryError, exceptions.ServiceUnavailable) as error:
        raise ServiceError(f"the service cannot be reached: {_words(error)}", where="Vertex AI",
                           remedy="check platform.vertex.location and the network, and run it again") from None  # fmt: skip
    except exceptions.TooManyRequests as error:
        raise ServiceError(f"a quota is used up: {_words(error)}", where="Vertex AI",
                           remedy="wait for other runs to end, or ask for more quota") from None  # fmt: skip
    except exceptions.Forbidden as error:
        raise SluiceError(f"not allowed: {_words(error)}", where="Vertex AI",
                          remedy="check platform.vertex.project; the account needs roles/aiplatform.user there") from None  # fmt: skip
    except exceptions.NotFound as error:
        raise SluiceError(
            f"not there: {_words(error)}", where="Vertex AI", remedy="check the run's ID, project and location"
        ) from None
    except (exceptions.GoogleAPICallError, ValueError, TypeError) as error:
        raise SluiceError(
            f"the request was refused: {_words(error)}", where="Vertex AI", remedy="nothing was started"
        ) from None


def _words(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error)
    return text.partition(": ")[2] if text.startswith(("GET http", "POST http", "DELETE http")) else text
