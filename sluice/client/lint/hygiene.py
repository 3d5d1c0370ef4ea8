"""What no one should submit anywhere: images that may change, steps without limits, secrets in the clear."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sluice.client.lint.rules import Found, Level, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.client.lint.graph import Pipeline, Place

FLAG = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?", re.S)
DETECTORS = ("AWSKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "JwtTokenDetector", "KeywordDetector",
             "PrivateKeyDetector", "SlackDetector", "StripeDetector")  # fmt: skip
"""detect-secrets' detectors of known forms and names; those of high entropy take digests for secrets."""


@rule("unpinned-image", Level.ERROR, "an image without a tag, or with the tag latest, is another image tomorrow",
      "name a version, or better a digest: image@sha256:...")  # fmt: skip
def unpinned_image(pipeline: Pipeline) -> Iterator[Found]:
    """Images that float."""
    for name, executor, place in pipeline.executors():
        image = executor.get("container", {}).get("image", "")
        tag = image.rpartition("/")[2].partition(":")[2]
        if image and "{{" not in image and "@sha256:" not in image and tag in ("", "latest"):
            yield (*place, "container", "image"), f"executor {name}: {image}"


@rule("missing-limits", Level.WARNING, "a step without limits of CPU and memory may take those of its neighbours, or be evicted",
      "set them on the task: set_cpu_limit, set_memory_limit (a component's file loses its own)")  # fmt: skip
def missing_limits(pipeline: Pipeline) -> Iterator[Found]:
    """Containers without limits."""
    for name, executor, place in pipeline.executors():
        if "container" in executor and not pipeline.is_component:
            limits = executor["container"].get("resources", {})
            missing = [word for word, keys in (("CPU", ("cpuLimit", "resourceCpuLimit")), ("memory", ("memoryLimit", "resourceMemoryLimit")))
                       if not any(limits.get(key) for key in keys)]  # fmt: skip
            if missing:
                yield (*place, "container"), f"executor {name}: {' and '.join(missing)}"


@rule("install-at-run-time", Level.WARNING, "a step that installs packages when it starts fails without a network, and runs other code tomorrow",
      "put them into the image: packages_to_install=None, install_kfp_package=False")  # fmt: skip
def install_at_run_time(pipeline: Pipeline) -> Iterator[Found]:
    """Commands that call pip."""
    for name, executor, place in pipeline.executors():
        if any("pip install" in str(part) for part in executor.get("container", {}).get("command", [])):
            yield (*place, "container", "command"), f"executor {name}"


@rule("secret-in-the-clear", Level.ERROR, "whoever reads the file, the run or its log has the secret",
      "take it from a Kubernetes secret, Secret Manager or the step's own identity; and change it, as it is known now")  # fmt: skip
def secret_in_the_clear(pipeline: Pipeline) -> Iterator[Found]:
    """Constants, defaults and environment variables that look like secrets; they are not printed."""
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import transient_settings

    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        for place, name, value in _values(pipeline):
            kinds = {found.type for text in _texts(name, value) for found in scan_line(text)}
            if kinds:
                yield place, f"{name} ({', '.join(sorted(kinds))})"


def _values(pipeline: Pipeline) -> Iterator[tuple[Place, str, Any]]:
    """Every value that stands in the file: place, name, value."""
    bodies: list[tuple[Place, Any]] = [((0, "root"), pipeline.spec["root"])]
    bodies += [((0, "components", name), body) for name, body in pipeline.spec.get("components", {}).items()]
    for place, body in bodies:
        for name, given in body.get("inputDefinitions", {}).get("parameters", {}).items():
            if "defaultValue" in given:
                yield (*place, "inputDefinitions", "parameters", name), name, given["defaultValue"]
    for task in (*pipeline.tasks, *pipeline.groups):
        for name, origin in task.parameters.items():
            if origin.kind == "constant":
                yield (*task.place, "inputs", "parameters", name), name, origin.value
    for label, executor, spot in pipeline.executors():
        container = executor.get("container", {})
        for number, variable in enumerate(container.get("env", [])):
            yield (*spot, "container", "env", number), variable["name"], variable.get("value", "")
        for kind in ("command", "args"):
            yield from _words(
                [str(word) for word in container.get(kind, [])], (*spot, "container", kind), f"{kind} of {label}"
            )


def _words(words: list[str], place: Place, name: str) -> Iterator[tuple[Place, str, Any]]:
    """What stands on a command line: values of flags, and the lines of a source, each by itself."""
    flag = ""
    for number, word in enumerate(words):
        match = FLAG.fullmatch(word)
        if match and match[2] is not None:
            yield (*place, number), match[1], match[2]
        elif flag and not match:
            yield (*place, number), flag, word
        flag = match[1] if match and match[2] is None else ""
        if "\n" in word:
            for line in word.splitlines():
                yield (*place, number), name, Line(line)


class Line(str):
    """A line of a program, which is looked at as it stands."""

    __slots__ = ()


def _texts(name: str, value: Any) -> Iterator[str]:
    """A value as lines of an assignment, as the detectors know them; nested ones by their own names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(name, inner)
    elif isinstance(value, Line):
        yield value
    elif isinstance(value, str) and value:
        yield f"{name} = {json.dumps(value)}"
