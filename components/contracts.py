"""The interface of every component as it was promised, and whether a change breaks it.

``contracts.json`` holds each interface with its semantic version. It is never written by a build: `make contracts`
records a change on purpose, and raises the major version where others' pipelines would break (an input or output
removed, renamed or of another type, a new required input), the minor one where something was added. A test fails as
long as interface and record differ.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("contracts.json")


def interface(file: Path) -> dict[str, Any]:
    """Inputs and outputs of a compiled component: name to type, and for inputs whether they are required."""
    spec = yaml.safe_load(file.read_text())
    (component,) = spec["components"].values()
    return {
        "inputs": {name: {"type": kind, "required": not given.get("isOptional", False)}
                   for name, kind, given in _ports(component.get("inputDefinitions", {}))},
        "outputs": {name: {"type": kind} for name, kind, _ in _ports(component.get("outputDefinitions", {}))},
    }  # fmt: skip


def _ports(definitions: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    parameters = [(name, given["parameterType"], given) for name, given in definitions.get("parameters", {}).items()]
    artifacts = [
        (name, given["artifactType"]["schemaTitle"], given) for name, given in definitions.get("artifacts", {}).items()
    ]
    return sorted((*parameters, *artifacts), key=lambda port: port[0])


def changes(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What breaks others' pipelines, and what adds to the interface, in words."""
    breaking, added = [], []
    for side in ("inputs", "outputs"):
        old, new = before[side], after[side]
        word = side.removesuffix("s")
        for name in sorted(old.keys() - new.keys()):
            breaking.append(f"the {word} {name} is gone")
        for name in sorted(new.keys() - old.keys()):
            required = new[name].get("required", False)
            (breaking if required else added).append(
                f"the {word} {name} is new" + (" and required" if required else "")
            )
        for name in sorted(old.keys() & new.keys()):
            if old[name]["type"] != new[name]["type"]:
                breaking.append(f"the {word} {name} was {old[name]['type']}, and is {new[name]['type']}")
            elif old[name] != new[name]:
                required = new[name].get("required", False)
                (breaking if required else added).append(
                    f"the {word} {name} is {'required' if required else 'optional'} now"
                )
    return breaking, added


def raised(version: str, breaking: list[str], added: list[str]) -> str:
    """The version after such changes."""
    major, minor, _ = (int(part) for part in version.split("."))
    if breaking:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if added else version


def record() -> None:
    """Write the interfaces as they are, under raised versions, and tell what has changed."""
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    made = {}
    for file in sorted((ROOT / "build" / "components").glob("*.yaml")):
        now = interface(file)
        before = known.get(file.stem)
        breaking, added = changes(before, now) if before else ([], [])
        version = raised(before["version"], breaking, added) if before else "1.0.0"
        made[file.stem] = {"version": version, **now}
        for change in (*breaking, *added):
            sys.stdout.write(f"{file.stem} {version}: {change}\n")
    RECORD.write_text(json.dumps(made, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    record()
