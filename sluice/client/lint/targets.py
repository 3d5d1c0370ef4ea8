"""What Vertex AI, open-source Kubeflow or KFP's local runner refuses, or gets wrong without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.client.lint.graph import REFERENCE
from sluice.client.lint.rules import Found, Level, Target, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.client.lint.graph import Pipeline

BUILT_IN = ["python3", "-m", "kfp.dsl.executor_main"]
"""Command of a Python component that was built into its image; a lightweight one has the module in a script."""
WORKSPACE = "{{$.workspace_path}}"
LARGE_SPEC, LARGE_ARGUMENT = 256 * 1024, 128 * 1024


@rule("second-document", Level.ERROR, "the file has a second document, with settings of pods: Vertex AI refuses it",
      "submit the portable build there, and this one to Kubeflow", Target.VERTEX)  # fmt: skip
def second_document(pipeline: Pipeline) -> Iterator[Found]:
    """More than one document."""
    if len(pipeline.documents) > 1:
        yield (1,), f"{len(pipeline.documents)} documents"


@rule("importer-in-condition", Level.ERROR, "an importer under a condition does not run on open-source Kubeflow",
      "import before the condition, and use the artifact inside it", Target.KUBEFLOW)  # fmt: skip
def importer_in_condition(pipeline: Pipeline) -> Iterator[Found]:
    """Importers with conditions around them."""
    for task in pipeline.tasks:
        if "importer" in task.executor and task.conditions:
            yield task.place, f"task {task.path[-1]}"


@rule("resolver", Level.ERROR, "open-source Kubeflow has no resolver executors",
      "pass the artifact's URI as a parameter, or import it", Target.KUBEFLOW)  # fmt: skip
def resolver(pipeline: Pipeline) -> Iterator[Found]:
    """Executors that resolve."""
    for name, executor, place in pipeline.executors():
        if "resolver" in executor:
            yield place, f"executor {name}"


@rule("one-of-artifacts", Level.ERROR, "dsl.OneOf of artifacts fails on Kubeflow 2.16.0 and in the local runner",
      "use the artifact inside each branch, or pass its URI as a parameter", Target.KUBEFLOW, Target.LOCAL)  # fmt: skip
def one_of_artifacts(pipeline: Pipeline) -> Iterator[Found]:
    """Outputs of groups that choose between artifacts."""
    for name, component in pipeline.spec.get("components", {}).items():
        for key, output in component.get("dag", {}).get("outputs", {}).get("artifacts", {}).items():
            if len(output.get("artifactSelectors", [])) > 1:
                yield (0, "components", name, "dag", "outputs", "artifacts", key), f"output {key} of {name}"


@rule("optional-input", Level.ERROR, "an optional pipeline input without a default fails on older backends and in the local runner",
      "give it a default: an empty text, 0 or an empty dictionary", Target.KUBEFLOW, Target.LOCAL)  # fmt: skip
def optional_input(pipeline: Pipeline) -> Iterator[Found]:
    """Optional inputs of the whole pipeline that have no default."""
    for name, given in pipeline.spec["root"].get("inputDefinitions", {}).get("parameters", {}).items():
        if given.get("isOptional") and "defaultValue" not in given:
            yield (0, "root", "inputDefinitions", "parameters", name), f"input {name}"


@rule("large-spec", Level.WARNING, "pipelines over 256 KiB were reported to fail on open-source Kubeflow",
      "move code from the components into their images, or split the pipeline", Target.KUBEFLOW)  # fmt: skip
def large_spec(pipeline: Pipeline) -> Iterator[Found]:
    """Large files."""
    if (size := len(pipeline.text.encode())) > LARGE_SPEC:
        yield (0,), f"{size / 1024:,.0f} KiB"


@rule("if-without-else", Level.ERROR, "the local runner takes dsl.If on a named output for false, where there is no dsl.Else",
      "add a dsl.Else, or compare a component's only output", Target.LOCAL)  # fmt: skip
def if_without_else(pipeline: Pipeline) -> Iterator[Found]:
    """Lone conditions on outputs that have a name."""
    for group in pipeline.groups:
        for condition in group.conditions[-1:]:
            named = [
                origin for origin in condition.looks_at.values() if origin.kind == "task" and origin.key != "Output"
            ]
            if condition.place == group.place and named and not condition.has_else:
                yield group.place, f"condition {condition.text}"


@rule("quote-in-condition", Level.ERROR, "the local runner splices condition values into code: a quote in one breaks it",
      "compare with a value that has no quotes", Target.LOCAL)  # fmt: skip
def quote_in_condition(pipeline: Pipeline) -> Iterator[Found]:
    """Conditions whose values hold quotes."""
    for group in pipeline.groups:
        for condition in group.conditions[-1:]:
            compared = REFERENCE.sub("", condition.text)  # what is left has the quotes around one value
            if condition.place == group.place and (compared.count("'") > 2 or '"' in compared):
                yield group.place, f"condition {condition.text}"


@rule("outer-input-in-loop", Level.ERROR, "in dsl.ParallelFor the local runner replaces inputs from outside the loop by the loop's item",
      "put what the loop needs into its items", Target.LOCAL)  # fmt: skip
def outer_input_in_loop(pipeline: Pipeline) -> Iterator[Found]:
    """Loops that use what is outside of them."""
    for group in pipeline.groups:
        if group.is_loop and group.loop:
            yield group.place, f"{', '.join(group.loop)} in {group.path[-1]}"


@rule("python3-in-value", Level.WARNING, "the local runner rewrites python3 in a value to the interpreter's path",
      "write the value without it, or pass it from outside", Target.LOCAL)  # fmt: skip
def python3_in_value(pipeline: Pipeline) -> Iterator[Found]:
    """Constants and defaults that hold the word."""
    for name, given in pipeline.spec["root"].get("inputDefinitions", {}).get("parameters", {}).items():
        if "python3" in str(given.get("defaultValue", "")):
            yield (0, "root", "inputDefinitions", "parameters", name), f"default of the input {name}"
    for task in pipeline.tasks:
        for name, origin in task.parameters.items():
            if origin.kind == "constant" and "python3" in str(origin.value):
                yield (*task.place, "inputs", "parameters", name), f"input {name} of {task.path[-1]}"


@rule("large-argument", Level.ERROR, "an argument over 128 KiB cannot be passed to a process",
      "move the component's code into its image", Target.LOCAL, Target.KUBEFLOW)  # fmt: skip
def large_argument(pipeline: Pipeline) -> Iterator[Found]:
    """Commands with long arguments, an embedded source among them."""
    for name, executor, place in pipeline.executors():
        container = executor.get("container", {})
        for argument in [*container.get("command", []), *container.get("args", [])]:
            if len(str(argument).encode()) > LARGE_ARGUMENT:
                yield place, f"executor {name}: {len(str(argument)) / 1024:,.0f} KiB"


@rule("not-lightweight", Level.WARNING, "KFP's SubprocessRunner refuses what is no lightweight Python component",
      "run it here with local.DockerRunner()", Target.LOCAL)  # fmt: skip
def not_lightweight(pipeline: Pipeline) -> Iterator[Found]:
    """Container components, and Python components that were built into their image (target_image)."""
    for name, executor, place in pipeline.executors():
        container = executor.get("container", {})
        words = [*container.get("command", []), *container.get("args", [])]
        if container and (words[:3] == BUILT_IN or not any(BUILT_IN[2] in str(word) for word in words)):
            yield (*place, "container"), f"executor {name}"


@rule("workspace", Level.WARNING, "the local runner deletes the workspace when the run has ended",
      "keep what has to stay in an artifact", Target.LOCAL)  # fmt: skip
def workspace(pipeline: Pipeline) -> Iterator[Found]:
    """Tasks that are given the workspace."""
    for task in pipeline.tasks:
        for name, origin in task.parameters.items():
            if origin.kind == "constant" and WORKSPACE in str(origin.value):
                yield (*task.place, "inputs", "parameters", name), f"input {name} of {task.path[-1]}"
