"""Gates that are passed by: a push that its gates do not stand before, and whatever else publishes.

The pusher checks its verdicts itself and would refuse. These rules tell before the run, and they tell of steps that
publish without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice.client.lint.rules import Found, Level, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.client.lint.graph import Condition, Origin, Pipeline, Task

GATES = {"data": "validate", "model": "evaluate", "service": "probe"}
"""Gate to the component that is it."""
OPEN = re.compile(r"\(?inputs\.parameter_values\['([^']+)'\] == '(?:open|BLESSED)'\)?")
PUSHER = re.compile(r"\bsluice\.(stages(\.push| import push)|promotion)\b")
"""How code calls the pusher, whatever its function is called."""
DEPLOYS = re.compile(r"^(UploadModel|DeployModel|ModelUploadOp|ModelDeployOp)$|\bModel\.upload\(|\bendpoints? deploy-model\b"
                     r"|\bai models upload\b|kserve-?component|\bkind: InferenceService\b")  # fmt: skip
"""What Google's and KServe's own components, their launchers, SDKs and command lines call publishing."""


def _publishes(task: Task) -> bool:
    return any(PUSHER.search(word) for word in task.words) or (
        task.function == "push" and "service_verdict" in task.artifacts
    )


def _pushes(pipeline: Pipeline) -> list[Task]:
    if pipeline.is_component:
        return []
    return [
        task
        for task in pipeline.tasks
        if _publishes(task) and all(f"{gate}_verdict" in task.artifacts for gate in GATES)
    ]


def _judge(pipeline: Pipeline, push: Task, gate: str) -> Task | None:
    """The gate that gave a push its verdict; None where it came from elsewhere, which is told by a rule of its own."""
    origin = push.artifacts.get(f"{gate}_verdict")
    made = _producer(pipeline, origin)
    return made if made is not None and made.function == GATES[gate] and origin and origin.key == "verdict" else None


def _producer(pipeline: Pipeline, origin: Origin | None) -> Task | None:
    return next(
        (task for task in pipeline.tasks if origin and origin.kind == "task" and task.path == origin.task), None
    )


@rule("verdict-not-from-its-gate", Level.ERROR, "a push gets a verdict that its gate did not give",
      "wire validate's, evaluate's and probe's own verdict outputs to the push")  # fmt: skip
def verdict_not_from_its_gate(pipeline: Pipeline) -> Iterator[Found]:
    """Verdict inputs that come from elsewhere."""
    for push in _pushes(pipeline):
        for gate in GATES:
            if _judge(pipeline, push, gate) is None:
                yield (*push.place, "inputs", "artifacts", f"{gate}_verdict"), f"{gate}_verdict of {push.path[-1]}"


@rule("other-model-judged", Level.ERROR, "a push publishes another model than the gates judge",
      "give evaluate, probe and push the same model")  # fmt: skip
def other_model_judged(pipeline: Pipeline) -> Iterator[Found]:
    """Models that are not the same all the way."""
    for push in _pushes(pipeline):
        for gate in ("model", "service"):
            judge = _judge(pipeline, push, gate)
            if judge is not None and judge.artifacts.get("model") != push.artifacts.get("model"):
                yield (*push.place, "inputs", "artifacts", "model"), f"{push.path[-1]}: the {gate} gate judges another"


@rule("other-policy", Level.ERROR, "a push is told another policy than its gate judges by",
      "give gate and push the same policy")  # fmt: skip
def other_policy(pipeline: Pipeline) -> Iterator[Found]:
    """Policies that are not the same at the gate and at the push."""
    for push in _pushes(pipeline):
        for gate in GATES:
            judge = _judge(pipeline, push, gate)
            if judge is not None and judge.parameters.get("policy") != push.parameters.get(f"{gate}_policy"):
                yield (*push.place, "inputs", "parameters", f"{gate}_policy"), f"{gate}_policy of {push.path[-1]}"


@rule("other-data-judged", Level.ERROR, "a push is given other data than the gates judge",
      "give validate, evaluate and push the same examples, and push validate's own statistics and schema")  # fmt: skip
def other_data_judged(pipeline: Pipeline) -> Iterator[Found]:
    """Examples that are not the same all the way, and statistics or a schema from elsewhere."""
    for push in _pushes(pipeline):
        for gate in ("data", "model"):
            judge = _judge(pipeline, push, gate)
            if judge is not None and judge.artifacts.get("examples") != push.artifacts.get("examples"):
                yield (
                    (*push.place, "inputs", "artifacts", "examples"),
                    f"{push.path[-1]}: the {gate} gate judges others",
                )
        judge = _judge(pipeline, push, "data")
        for name in ("statistics", "schema"):
            origin = push.artifacts.get(name)
            if judge is not None and (origin is None or (origin.task, origin.key) != (judge.path, name)):
                yield (*push.place, "inputs", "artifacts", name), f"{push.path[-1]}: {name} not of the data gate"


@rule("push-past-a-closed-gate", Level.ERROR, "a push is reached where a gate is closed, or has failed",
      'put it under dsl.If(gate.outputs["gate"] == "open"), and let it wait for what stands before it')  # fmt: skip
def push_past_a_closed_gate(pipeline: Pipeline) -> Iterator[Found]:
    """Pushes that no condition on the data and the model gate stands before, or that run whatever failed before them."""
    for push in _pushes(pipeline):
        for gate in ("data", "model"):
            judge = _judge(pipeline, push, gate)
            if judge is not None and not any(_opens(condition, judge) for condition in push.conditions):
                yield push.place, f"{push.path[-1]}: the {gate} gate"
        if push.regardless:
            yield push.place, f"{push.path[-1]}: it ignores failures, those of a gate too"


def _opens(condition: Condition, judge: Task) -> bool:
    """Whether a condition holds only where a gate is open: one of its parts, all of which have to hold, says so."""
    if "||" in condition.text:
        return False
    keys = [match[1] for part in condition.text.split(" && ") if (match := OPEN.fullmatch(part.strip()))]
    origins = [condition.looks_at[key] for key in keys if key in condition.looks_at]
    return any(origin.task == judge.path and origin.key in ("gate", "status") for origin in origins)


@rule("published-without-push", Level.ERROR, "a step publishes past the gates",
      "let push publish: it has destinations on Vertex AI, KServe and any store")  # fmt: skip
def published_without_push(pipeline: Pipeline) -> Iterator[Found]:
    """Other steps that call the pusher, get its destinations, or upload or deploy models."""
    pushes = _pushes(pipeline)
    places = [push.parameters["destinations"] for push in pushes if "destinations" in push.parameters]
    for task in pipeline.tasks:
        if task in pushes:
            continue
        if _publishes(task) and not pipeline.is_component:
            yield task.place, f"{task.path[-1]} calls the pusher without its verdicts"
        image = str(task.executor.get("container", {}).get("image", ""))
        if any(DEPLOYS.search(word) for word in (image, *task.words)):
            yield task.place, f"{task.path[-1]} uploads or deploys a model"
        for name, origin in task.parameters.items():
            if origin in places and origin.kind != "unknown":
                yield (*task.place, "inputs", "parameters", name), f"{task.path[-1]} gets the destinations as {name}"
