"""A compiled pipeline as a graph: every task, where its inputs come from, and under which conditions it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTION = "--function_to_execute"
REFERENCE = re.compile(r"inputs\.parameter_values\['([^']+)'\]")
Place = tuple[str | int, ...]
"""A path inside the YAML file: document, then keys."""


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: ``task`` (an output), ``pipeline`` (an input of the whole), ``loop`` (an item), ``constant`` or ``unknown``.
        task: path of the task, its names from the root down.
        key: name of the output or input.
        value: the constant.
    """

    kind: str
    task: tuple[str, ...] = ()
    key: str = ""
    value: Any = None


@dataclass(frozen=True)
class Condition:
    """A condition that a task runs under: its text, what it looks at, and whether its branches have an Else."""

    text: str
    looks_at: dict[str, Origin]
    has_else: bool
    place: Place


@dataclass
class Task:
    """A task that runs code, or a group of tasks.

    Attributes:
        path: its names from the root down.
        place: where it stands in the file.
        component: the component's name in the file.
        executor: what it runs; empty for a group.
        parameters: input parameter to where it comes from.
        artifacts: input artifact to where it comes from.
        conditions: conditions that it runs under, the outermost first.
        loop: names of inputs from outside a loop that the loop around it uses, if it is a loop.
        is_loop: whether it is a loop.
        regardless: whether it, or a group around it, runs whatever became of what stands before it (an exit task too).
    """

    path: tuple[str, ...]
    place: Place
    component: str
    executor: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Origin] = field(default_factory=dict)
    artifacts: dict[str, Origin] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    is_loop: bool = False
    loop: tuple[str, ...] = ()
    regardless: bool = False

    @property
    def words(self) -> list[str]:
        """Command and arguments of its container, the source of a lightweight component among them."""
        container = self.executor.get("container", {})
        return [str(part) for part in [*container.get("command", []), *container.get("args", [])]]

    @property
    def function(self) -> str:
        """The Python function that it runs, if it is a lightweight component."""
        given = self.executor.get("container", {}).get("args", [])
        return str(given[given.index(FUNCTION) + 1]) if FUNCTION in given else ""


class Pipeline:
    """A file as the rules see it.

    Attributes:
        file: its path.
        documents: its YAML documents.
        spec: the first of them.
        tasks: tasks that run code.
        groups: groups: nested pipelines, conditions, loops.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.text = file.read_text()
        self.documents: list[Any] = list(yaml.safe_load_all(self.text))
        self.spec: dict[str, Any] = self.documents[0] if self.documents and isinstance(self.documents[0], dict) else {}
        self._nodes = list(yaml.compose_all(self.text, Loader=yaml.SafeLoader))
        self.tasks: list[Task] = []
        self.groups: list[Task] = []

    @property
    def is_component(self) -> bool:
        """Whether it is a component alone: KFP compiles one to a pipeline of itself. Who uses it wires and limits it."""
        tasks = self.spec["root"].get("dag", {}).get("tasks", {})
        return list(tasks) == [self.spec.get("pipelineInfo", {}).get("name")]

    def read(self) -> None:
        """Walk the graph; needs a spec that KFP's protos take."""
        root = self.spec["root"]
        inputs = root.get("inputDefinitions", {})
        scope = {
            name: Origin("pipeline", key=name) for kind in ("parameters", "artifacts") for name in inputs.get(kind, {})
        }
        self._walk(root.get("dag", {}), (0, "root", "dag"), (), scope, (), regardless=False)

    def line(self, place: Place) -> int:
        """The line, from 1, of a place in the file; of the last part of it that is there."""
        document, *keys = place
        node: Any = self._nodes[int(document)]
        line = node.start_mark.line + 1
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                found = next(((name, value) for name, value in node.value if name.value == key), None)
                if found is None:
                    return int(line)
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                node = node.value[key]
                line = node.start_mark.line + 1
        return int(line)

    def executors(self) -> Iterator[tuple[str, dict[str, Any], Place]]:
        """Name, executor and place of everything that runs."""
        for name, executor in self.spec.get("deploymentSpec", {}).get("executors", {}).items():
            yield name, executor, (0, "deploymentSpec", "executors", name)

    def _walk(
        self,
        dag: dict[str, Any],
        place: Place,
        path: tuple[str, ...],
        scope: dict[str, Origin],
        conditions: tuple[Condition, ...],
        *,
        regardless: bool,
    ) -> None:
        tasks = dag.get("tasks", {})
        for name, item in tasks.items():
            here = (*place, "tasks", name)
            component = item["componentRef"]["name"]
            body = self.spec["components"][component]
            inputs = {**item.get("inputs", {}).get("parameters", {}), **item.get("inputs", {}).get("artifacts", {})}
            found = {key: self._origin(given, tasks, path, scope) for key, given in inputs.items()}
            parameters = {key: found[key] for key in item.get("inputs", {}).get("parameters", {})}
            under = conditions
            if text := item.get("triggerPolicy", {}).get("condition", ""):
                looks = {key: found[key] for key in REFERENCE.findall(text) if key in found}
                under = (
                    *conditions,
                    Condition(text, looks, bool(path) and path[-1].startswith("condition-branches"), here),
                )
            always = regardless or item.get("triggerPolicy", {}).get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"
            task = Task((*path, name), here, component, parameters=parameters, conditions=under, regardless=always,
                        artifacts={key: found[key] for key in item.get("inputs", {}).get("artifacts", {})})  # fmt: skip
            if "dag" in body:
                inner = dict(found)
                if iterator := item.get("parameterIterator") or item.get("artifactIterator"):
                    task.is_loop = True
                    item_name = iterator.get("itemInput", "")
                    task.loop = tuple(
                        key for key in parameters if key != item_name and parameters[key].kind != "constant"
                    )
                    inner[item_name] = Origin("loop", (*path, name), item_name)
                self.groups.append(task)
                self._walk(
                    body["dag"], (0, "components", component, "dag"), (*path, name), inner, under, regardless=always
                )
            else:
                task.executor = self.spec["deploymentSpec"]["executors"].get(body.get("executorLabel", ""), {})
                self.tasks.append(task)

    def _origin(
        self, given: dict[str, Any], tasks: dict[str, Any], path: tuple[str, ...], scope: dict[str, Origin]
    ) -> Origin:
        if "runtimeValue" in given:
            return Origin("constant", value=given["runtimeValue"].get("constant"))
        for kind, key in (("taskOutputParameter", "outputParameterKey"), ("taskOutputArtifact", "outputArtifactKey")):
            if kind in given:
                return self._produced(given[kind]["producerTask"], given[kind][key], tasks, path)
        outer = given.get("componentInputParameter") or given.get("componentInputArtifact")
        return scope.get(outer, Origin("unknown", key=str(outer))) if outer else Origin("unknown")

    def _produced(self, producer: str, key: str, tasks: dict[str, Any], path: tuple[str, ...]) -> Origin:
        """The task that really makes an output: a group passes on what one inside it made."""
        body = self.spec["components"][tasks[producer]["componentRef"]["name"]]
        if "dag" not in body:
            return Origin("task", (*path, producer), key)
        outputs, inner = body["dag"].get("outputs", {}), body["dag"]["tasks"]
        if selector := outputs.get("parameters", {}).get(key, {}).get("valueFromParameter"):
            return self._produced(selector["producerSubtask"], selector["outputParameterKey"], inner, (*path, producer))
        selectors = outputs.get("artifacts", {}).get(key, {}).get("artifactSelectors", [])
        if len(selectors) == 1:
            return self._produced(
                selectors[0]["producerSubtask"], selectors[0]["outputArtifactKey"], inner, (*path, producer)
            )
        return Origin("unknown", (*path, producer), key)
