"""Vertex AI Pipelines, its metadata store and Cloud Logging, as far as submission uses them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
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
        project: the one project that the caller has rights in.
        jobs: resource name to the job as it was created.
        progress: resource name to how it goes on.
        schedules: resource name to the schedule.
        contexts: resource name to the metadata store's context: an experiment, or a run.
        children: context to those in it.
        numbers: of schedules.
        fails: step to what it says when it fails.
        absent: images that the registry does not have.
        log: custom job to its lines.
    """

    project: str = "acme"
    jobs: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, pipeline_spec.Progress] = field(default_factory=dict)
    schedules: dict[str, Any] = field(default_factory=dict)
    contexts: dict[str, Any] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    fails: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    log: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        parent = r"/(?:v1|v1beta1)/(projects/[^/]+/locations/[^/]+)"
        store = rf"{parent}/metadataStores/default"
        for method, path, route in [
            ("POST", rf"{parent}/pipelineJobs", self._create),
            ("GET", rf"{parent}/pipelineJobs/([^/:]+)", self._get),
            ("POST", rf"{parent}/pipelineJobs/([^/:]+):cancel", self._cancel),
            ("POST", rf"{parent}/schedules", self._schedule),
            ("GET", rf"{parent}/schedules", self._list_schedules),
            ("GET", rf"{parent}/schedules/([^/:]+)", self._get_schedule),
            ("DELETE", rf"{parent}/schedules/([^/:]+)", self._end_schedule),
            ("GET", store, lambda _, parent: {"name": f"{parent}/metadataStores/default"}),
            ("POST", rf"{store}/contexts", self._make_context),
            ("GET", rf"{store}/contexts/([^/:]+)", self._get_context),
            ("POST", rf"{store}/contexts/([^/:]+):addContextChildren", self._add_children),
        ]:
            self.routes.append((method, path, self._permitted(route)))
        self.routes.append(("POST", r"/v2/entries:list", self._entries))

    def _permitted(self, route: Any) -> Any:
        def permitted(request: Request, parent: str, *groups: str) -> Any:
            if parent.split("/")[1] != self.project:
                raise ProblemError(403, f"Permission denied on resource '{parent}' (or it may not exist).")
            return route(request, parent, *groups)

        return permitted

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
        context = f"{parent}/metadataStores/default/contexts/{name}"
        self.contexts[context] = {"name": context, "schemaTitle": "system.PipelineRun"}
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
        parent, _, name = full.partition("/pipelineJobs/")
        context = self.contexts[f"{parent}/metadataStores/default/contexts/{name}"]
        shown["jobDetail"] = {"pipelineRunContext": context, "taskDetails": [
            {"taskId": str(number), "taskName": name, "state": state,
             "executorDetail": {"containerDetail": {"mainJob": f"{parent}/customJobs/{name}"}},
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
        name = f"{parent}/schedules/{next(self.numbers)}"
        self.schedules[name] = {**request.body, "name": name, "state": "ACTIVE"}
        return self._shown_schedule(name)

    def _shown_schedule(self, name: str) -> Any:
        return {key: self.schedules[name][key] for key in ("name", "displayName", "state", "cron")}

    def _list_schedules(self, request: Request, parent: str) -> Any:
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', request.query.get("filter", "")))
        known = {"display_name": "displayName", "state": "state"}
        if unknown := wanted.keys() - known:
            raise ProblemError(400, f"cannot filter by {unknown}")
        return {"schedules": [
            self._shown_schedule(name) for name, made in self.schedules.items()
            if name.startswith(parent) and all(made[known[key]] == value for key, value in wanted.items())
        ]}  # fmt: skip

    def _get_schedule(self, _: Request, parent: str, name: str) -> Any:
        if f"{parent}/schedules/{name}" not in self.schedules:
            raise ProblemError(404, f"the Schedule {parent}/schedules/{name} does not exist")
        return self._shown_schedule(f"{parent}/schedules/{name}")

    def _end_schedule(self, request: Request, parent: str, name: str) -> Any:
        self._get_schedule(request, parent, name)
        del self.schedules[f"{parent}/schedules/{name}"]
        return self.operation(parent, "google.protobuf.Empty", {})

    def _make_context(self, request: Request, parent: str) -> Any:
        parsed(types.Context, request.body)
        name = f"{parent}/metadataStores/default/contexts/{request.query['contextId']}"
        self.contexts[name] = {**request.body, "name": name}
        return self.contexts[name]

    def _get_context(self, _: Request, parent: str, name: str) -> Any:
        full = f"{parent}/metadataStores/default/contexts/{name}"
        if full not in self.contexts:
            raise ProblemError(404, f"the Context {full} does not exist")
        return self.contexts[full]

    def _add_children(self, request: Request, parent: str, name: str) -> Any:
        children = request.body["childContexts"]
        if missing := [child for child in children if child not in self.contexts]:
            raise ProblemError(404, f"no such contexts: {missing}")
        self.children.setdefault(self._get_context(request, parent, name)["name"], []).extend(children)
        return {}

    def _entries(self, request: Request) -> Any:
        match = re.search(r'job_id="([^"]+)"', request.body["filter"])
        lines = self.log.get(match[1] if match else "", [])
        return {"entries": [
            {"logName": "projects/acme/logs/x", "resource": {"type": "ml_job", "labels": {}}, "jsonPayload": {"message": line}, "insertId": str(number)}
            for number, line in enumerate(lines)
        ]}  # fmt: skip
