"""What a service that runs pipelines checks of a pipeline spec before it takes it: with KFP's own protos."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.fakes.rest import ProblemError

KINDS = {
    "STRING": str,
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
}
IMAGE = re.compile(r"^([a-z0-9.-]+\.[a-z]{2,}|localhost|[a-z0-9.-]+:\d+)/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]+)$")


def check(spec: Any, given: dict[str, Any]) -> Any:
    """The parsed spec; refuses what cannot be parsed, missing, unknown and mistyped parameters, images without a registry."""
    parsed = pipeline_spec_pb2.PipelineSpec()
    try:
        json_format.ParseDict(spec, parsed)
    except json_format.ParseError as error:
        raise ProblemError(400, f"invalid pipeline spec: {error}") from error
    known = parsed.root.input_definitions.parameters
    for name, parameter in known.items():
        if name not in given and not parameter.is_optional and not parameter.HasField("default_value"):
            raise ProblemError(400, f"the parameter {name} is required and missing")
    for name, value in given.items():
        if name not in known:
            raise ProblemError(400, f"unknown parameter: {name}")
        kind = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(known[name].parameter_type)
        if kind in KINDS and not isinstance(value, KINDS[kind]):  # type: ignore[arg-type]
            raise ProblemError(400, f"the parameter {name} has to be {kind}: {value!r}")
        _no_null(name, value)
    for executor in json_format.MessageToDict(parsed.deployment_spec)["executors"].values():
        image = executor["container"]["image"]
        if not IMAGE.match(image):
            raise ProblemError(400, f"not an image name that can be pulled: {image}")
    return parsed


def _no_null(name: str, value: Any) -> None:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in values:
        if item is None:
            raise ProblemError(400, f"the parameter {name} holds a null")
        _no_null(name, item)


def steps(parsed: Any) -> list[str]:
    """Names of the tasks that run code, in the order of their dependencies' names."""
    found = []

    def walk(dag: Any) -> None:
        for name, task in dag.tasks.items():
            component = parsed.components[task.component_ref.name]
            if component.HasField("dag"):
                walk(component.dag)
            else:
                found.append(name)

    walk(parsed.root.dag)
    return found


def unpulled(parsed: Any, absent: set[str], said: str) -> dict[str, str]:
    """Steps whose image the registry does not have, and what the service says of each."""
    executors = json_format.MessageToDict(parsed.deployment_spec)["executors"]
    images = {name.removeprefix("exec-"): executor["container"]["image"] for name, executor in executors.items()}
    return {name: said.format(image) for name, image in images.items() if image in absent}


@dataclass
class Progress:
    """How a run goes on: a look at it moves it by a step.

    Attributes:
        steps: its steps.
        fails: step to what it says when it fails.
        done: steps that have ended.
        state: PENDING, RUNNING, SUCCEEDED, FAILED or CANCELLED.
        error: why it failed.
    """

    steps: list[str]
    fails: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    state: str = "PENDING"
    error: str = ""

    def look(self) -> None:
        """Move on."""
        if self.state == "PENDING":
            self.state = "RUNNING"
        elif self.state == "RUNNING":
            self.done.append(self.steps[len(self.done)])
            if self.done[-1] in self.fails:
                self.state, self.error = "FAILED", f"step {self.done[-1]} failed"
            elif len(self.done) == len(self.steps):
                self.state = "SUCCEEDED"

    def tasks(self) -> list[tuple[str, str, str]]:
        """Name, state and error of the steps that have started."""
        told = [(name, "FAILED" if name in self.fails else "SUCCEEDED", self.fails.get(name, "")) for name in self.done]
        if self.state in ("RUNNING", "CANCELLED") and len(self.done) < len(self.steps):
            told.append((self.steps[len(self.done)], self.state, ""))
        return told
