"""Interfaces of components are promises: what breaks others' pipelines fails here until it is recorded on purpose."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.contracts import RECORD, changes, interface, raised

ROOT = Path(__file__).parents[2]
KNOWN: dict[str, Any] = json.loads(RECORD.read_text())
FILES = sorted((ROOT / "build" / "components").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_interface_is_as_recorded(file: Path) -> None:
    before = KNOWN[file.stem]
    breaking, added = changes(before, interface(file))
    version = raised(before["version"], breaking, added)
    assert not breaking, (
        f"{file.stem} {before['version']} breaks others' pipelines: {'; '.join(breaking)}. Meant? make contracts: {version}"
    )
    assert not added, f"{file.stem}: {'; '.join(added)}. Record it: make contracts, which makes it {version}"


def test_no_component_is_gone() -> None:
    assert set(KNOWN) == {file.stem for file in FILES}


INGEST = KNOWN["ingest"]


def changed(**ports: Any) -> dict[str, Any]:
    made = copy.deepcopy(INGEST)
    for port, given in ports.items():
        side, _, name = port.partition("__")
        if given is None:
            del made[side][name]
        else:
            made[side][name] = given
    return made


@pytest.mark.parametrize(
    ("after", "version", "said"),
    [
        (changed(inputs__source=None), "2.0.0", "the input source is gone"),
        (changed(outputs__examples=None), "2.0.0", "the output examples is gone"),
        (
            changed(inputs__source={"type": "STRING", "required": True}),
            "2.0.0",
            "the input source was STRUCT, and is STRING",
        ),
        (changed(inputs__more={"type": "STRING", "required": True}), "2.0.0", "the input more is new and required"),
        (changed(inputs__more={"type": "STRING", "required": False}), "1.1.0", "the input more is new"),
        (changed(outputs__more={"type": "STRING"}), "1.1.0", "the output more is new"),
        (changed(), "1.0.0", ""),
    ],
)
def test_what_a_change_means(after: dict[str, Any], version: str, said: str) -> None:
    breaking, added = changes(INGEST, after)
    assert raised("1.0.0", breaking, added) == version
    assert "; ".join((*breaking, *added)) == said


FOREIGN = """
import sys
sys.modules["sluice"] = None  # nothing of ours here
from kfp import components, dsl, local

resolve = components.load_component_from_file(sys.argv[1])
ingest = components.load_component_from_file(sys.argv[2])

@dsl.pipeline(name="foreign")
def foreign(source: dict, ledger: str) -> int:
    found = resolve(ledger=ledger, source=source, span="")
    ingest(source=source, label={"column": "late"}, span=found.outputs["span"])
    return found.outputs["version"]

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[3])
task = foreign(source={"uri": sys.argv[4]}, ledger=sys.argv[3] + "/ledger")
assert task.output == 0, task.output
"""


def test_components_run_in_a_pipeline_that_imports_nothing_of_ours(tmp_path: Path, flights: Path) -> None:
    """By their files, with KFP's own runner; the steps' interpreter has the library, as their images have it."""
    script = tmp_path / "foreign.py"
    script.write_text(FOREIGN)
    build = ROOT / "build" / "components"
    done = subprocess.run(
        [sys.executable, script, build / "resolve.yaml", build / "ingest.yaml", tmp_path, flights / "span-01.parquet"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.rglob("examples.json"))
