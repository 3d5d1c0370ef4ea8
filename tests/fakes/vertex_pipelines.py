"""Vertex AI Pipelines and Cloud Logging, as far as submission uses them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from google.cloud.aiplatform_v1 import types

from tests.fakes import pipeline_spec
from tests.fakes.google import Google, parsed
from tests.fakes.rest import ProblemError, Request

ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
LABEL = re.compile(r"[a-z][-_a-z0-9]{0,63}")
VALUE = re.compile(r"[-_a-z0-9]{0,63}")


@dataclass
class VertexPipelines(Google):
    """The service.

    Attributes:
        jobs: resource name to the job as it was created.
        progress: resource name to how it goes on.
        schedules: resource name to the schedule.
        fails: step to what it says when it fails.
        absent: images that the registry does not have.
        log: custom job to its lines.
    """

    jobs: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, pipeline_spec.Progress] = field(default_factory=dict)
    schedules: dict[str, Any] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    log: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        parent = r"/(?:v1|v1beta1)/(projects/[^/]+/locations/[^/]+)"
        self.routes += [
            ("POST", rf"{parent}/pipelineJobs", self._create),
            ("GET", rf"{parent}/pipelineJobs/([^/:]+)", self._get),
            ("POST", rf"{parent}/pipelineJobs/([^/:]+):cancel", self._cancel),
            ("POST", rf"{parent}/schedules", self._schedule),
            ("POST", r"/v2/entries:list", self._entries),
        ]

    def _check(self, body: Any) -> Any:
        parsed(types.PipelineJob, {key: value for key, value in body.items() if key != "pipelineSpec"})
        runtime = body.get("runtimeConfig", {})
        if not runtime.get("gcsOutputDirectory", "").startswith("gs://"):
            raise ProblemError(400, "runtime_config.gcs_output_directory has to be a gs:// URI")
        for label, value in body.get("labels", {}).items():
            if not LABEL.fullmatch(label) or not VALUE.fullmatch(value):
                raise ProblemError(400, f"not a label: {label}={value}")
        return pipeline_spec.check(body["pipelineSpec"], runtime.get("parameterValues", {}))

    def _create(self, request: Request, parent: str) -> Any:
        spec = self._check(request.body)
        name = request.query.get("pipelineJobId") or f"job-{len(self.jobs)}"
        if not ID.fullmatch(name):
            raise ProblemError(400, f"not a job ID: {name}")
        full = f"{parent}/pipelineJobs/{name}"
        if full in self.jobs:
            raise ProblemError(409, f"the job {name} exists already")
        self.jobs[full] = request.body
        self.progress[full] = pipeline_spec.Progress(
            pipeline_spec.steps(spec), self.fails | pipeline_spec.unpulled(spec, self.absent, "Image {} not found.")
        )
        return self._shown(full)

    def _get(self, _: Request, parent: str, name: str) -> Any:
        full = f"{parent}/pipelineJobs/{name}"
        if full not in self.jobs:
            raise ProblemError(404, f"the PipelineJob {full} does not exist")
        self.progress[full].look()
        return self._shown(full)

    def _shown(self, full: str) -> Any:
        now = self.progress[full]
        shown = {"name": full, "displayName": self.jobs[full]["displayName"], "state": f"PIPELINE_STATE_{now.state}"}
        if now.error:
            shown["error"] = {"code": 9, "message": now.error}
        shown["jobDetail"] = {"taskDetails": [
            {"taskId": str(number), "taskName": name, "state": state,
             "executorDetail": {"containerDetail": {"mainJob": f"{full.partition('/pipelineJobs')[0]}/customJobs/{name}"}},
             **({"error": {"code": 13, "message": error}} if error else {})}
            for number, (name, state, error) in enumerate(now.tasks(), 1)
        ]}  # fmt: skip
        return shown

    def _cancel(self, _: Request, parent: str, name: str) -> Any:
        self.progress[f"{parent}/pipelineJobs/{name}"].state = "CANCELLED"
        return {}

    def _schedule(self, request: Request, parent: str) -> Any:
        create = request.body["createPipelineJobRequest"]
        self._check(create["pipelineJob"])
        if not re.fullmatch(r"(TZ=\S+ |CRON_TZ=\S+ )?(\S+ ){4}\S+", request.body.get("cron", "")):
            raise ProblemError(400, f"not a cron expression: {request.body.get('cron')}")
        name = f"{parent}/schedules/{len(self.schedules) + 1}"
        self.schedules[name] = request.body
        return {
            "name": name,
            "displayName": request.body["displayName"],
            "state": "ACTIVE",
            "cron": request.body["cron"],
        }

    def _entries(self, request: Request) -> Any:
        match = re.search(r'job_id="([^"]+)"', request.body["filter"])
        lines = self.log.get(match[1] if match else "", [])
        return {"entries": [
            {"logName": "projects/acme/logs/x", "resource": {"type": "ml_job", "labels": {}}, "jsonPayload": {"message": line}, "insertId": str(number)}
            for number, line in enumerate(lines)
        ]}  # fmt: skip
