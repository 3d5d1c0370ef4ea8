"""Kubeflow Pipelines' v2beta1 API, as far as submission uses it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2

from tests.fakes import pipeline_spec
from tests.fakes.rest import ProblemError, Request, Rest


@dataclass
class Kubeflow(Rest):
    """The service.

    Attributes:
        token: what clients have to present; empty: nothing.
        namespaces: namespaces that the token may use; empty: a single-user installation.
        experiments: name to ID.
        runs: ID to the run as it was created.
        progress: ID to how it goes on.
        recurring: ID to the recurring run.
        numbers: of recurring runs.
        fails: step to what it says when it fails.
        absent: images that the registry does not have.
        log: pod to its log.
    """

    token: str = ""
    namespaces: tuple[str, ...] = ()
    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, pipeline_spec.Progress] = field(default_factory=dict)
    recurring: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    fails: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    log: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = "/apis/v2beta1"
        for method, path, route in [
            ("GET", f"{root}/healthz", lambda _: {"multi_user": bool(self.namespaces)}),
            ("GET", f"{root}/experiments", self._experiments),
            ("POST", f"{root}/experiments", self._make_experiment),
            ("GET", f"{root}/runs", self._list),
            ("POST", f"{root}/runs", self._create),
            ("GET", rf"{root}/runs/([^/:]+)", self._get),
            ("POST", rf"{root}/runs/([^/:]+):terminate", self._terminate),
            ("POST", f"{root}/recurringruns", self._recur),
            ("GET", f"{root}/recurringruns", self._list_recurring),
            ("GET", rf"{root}/recurringruns/([^/:]+)", self._get_recurring),
            ("DELETE", rf"{root}/recurringruns/([^/:]+)", self._end_recurring),
            ("GET", r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", self._log),
        ]:
            self.routes.append((method, path, self._guarded(route)))

    def _guarded(self, route: Any) -> Any:
        def guarded(request: Request, *groups: str) -> Any:
            if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
                raise ProblemError(401, "Request header error: the token is not valid")
            return route(request, *groups)

        return guarded

    def _allowed(self, namespace: str) -> None:
        if self.namespaces and namespace not in self.namespaces:
            raise ProblemError(403, f"User is not authorized in the namespace {namespace!r}")

    def _experiments(self, request: Request) -> Any:
        self._allowed(request.query.get("namespace", ""))
        found = {name: key for name, key in self.experiments.items() if _wanted(request) in (None, name)}
        return {"experiments": [{"experiment_id": key, "display_name": name} for name, key in found.items()]}

    def _make_experiment(self, request: Request) -> Any:
        name = request.body["display_name"]
        self._allowed(request.body.get("namespace") or "")
        self.experiments.setdefault(name, f"experiment-{len(self.experiments) + 1}")
        return {"experiment_id": self.experiments[name], "display_name": name}

    def _check(self, body: Any) -> Any:
        given = body["pipeline_spec"]
        for executor in (
            given.get("platform_spec", {})
            .get("platforms", {})
            .get("kubernetes", {})
            .get("deploymentSpec", {})
            .get("executors", {})
            .values()
        ):
            try:
                json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
            except json_format.ParseError as error:
                raise ProblemError(400, f"invalid platform spec: {error}") from error
        if body.get("experiment_id") not in self.experiments.values():
            raise ProblemError(400, f"no such experiment: {body.get('experiment_id')}")
        return pipeline_spec.check(
            given.get("pipeline_spec", given), body.get("runtime_config", {}).get("parameters", {})
        )

    def _create(self, request: Request) -> Any:
        spec = self._check(request.body)
        key = f"run-{len(self.runs) + 1}"
        self.runs[key] = request.body
        unpulled = pipeline_spec.unpulled(spec, self.absent, "ImagePullBackOff: Back-off pulling image {}")
        self.progress[key] = pipeline_spec.Progress(pipeline_spec.steps(spec), self.fails | unpulled)
        return self._shown(key)

    def _list(self, request: Request) -> Any:
        found = [self._shown(key) for key in self._among(self.runs, request)]
        return {"runs": found, "total_size": len(found)}

    def _among(self, known: dict[str, Any], request: Request) -> list[str]:
        """IDs of what is in the experiment, or in the namespace, and has the name that is asked for."""
        experiment = request.query.get("experiment_id")
        if not experiment:
            self._allowed(request.query.get("namespace", ""))
        return [key for key, made in known.items()
                if _wanted(request) in (None, made["display_name"]) and experiment in (None, made["experiment_id"])]  # fmt: skip

    def _get(self, _: Request, key: str) -> Any:
        if key not in self.runs:
            raise ProblemError(404, f"Run {key} not found")
        self.progress[key].look()
        return self._shown(key)

    def _shown(self, key: str) -> Any:
        now = self.progress[key]
        state = "CANCELED" if now.state == "CANCELLED" else now.state
        made = f"2026-01-01T00:00:{int(key.partition('-')[2]):02d}Z"
        shown: dict[str, Any] = {
            "run_id": key,
            "display_name": self.runs[key]["display_name"],
            "state": state,
            "created_at": made,
        }
        if now.error:
            shown["error"] = {"code": 2, "message": now.error}
        shown["run_details"] = {"task_details": [
            {"display_name": name, "state": "CANCELED" if state_ == "CANCELLED" else state_, "child_tasks": [{"pod_name": f"{key}-{name}"}],
             **({"error": {"code": 2, "message": error}} if error else {})}
            for name, state_, error in now.tasks()
        ]}  # fmt: skip
        return shown

    def _terminate(self, _: Request, key: str) -> Any:
        self.progress[key].state = "CANCELLED"
        return {}

    def _recur(self, request: Request) -> Any:
        self._check(request.body)
        cron = request.body["trigger"]["cron_schedule"]["cron"]
        if not re.fullmatch(r"(\S+ ){5}\S+", cron):
            raise ProblemError(400, f"not a cron expression of six fields: {cron}")
        key = f"recurring-{next(self.numbers)}"
        self.recurring[key] = request.body
        return self._get_recurring(request, key)

    def _get_recurring(self, _: Request, key: str) -> Any:
        if key not in self.recurring:
            raise ProblemError(404, f"Recurring run {key} not found")
        made = self.recurring[key]
        return {
            "recurring_run_id": key,
            "display_name": made["display_name"],
            "trigger": made["trigger"],
            "status": "ENABLED",
        }

    def _list_recurring(self, request: Request) -> Any:
        return {"recurringRuns": [self._get_recurring(request, key) for key in self._among(self.recurring, request)]}

    def _end_recurring(self, request: Request, key: str) -> Any:
        self._get_recurring(request, key)
        del self.recurring[key]
        return {}

    def _log(self, _: Request, run: str, pod: str) -> Any:
        if pod not in self.log:
            raise ProblemError(404, f"no log of the pod {pod} of {run}")
        return self.log[pod].encode()

    def error(self, problem: ProblemError) -> Any:
        """See `Rest.error`."""
        return {"error": problem.message, "code": problem.status, "message": problem.message}


def _wanted(request: Request) -> str | None:
    """The name that a list is filtered by."""
    if "filter" not in request.query:
        return None
    (predicate,) = json.loads(request.query["filter"])["predicates"]
    if predicate["operation"] not in ("EQUALS", 1) or predicate["key"] not in ("name", "display_name"):
        raise ProblemError(400, f"cannot filter by {predicate}")
    return str(predicate["stringValue"])
