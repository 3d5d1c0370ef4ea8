"""Lint: each planted problem is found and nothing else, and our own builds have none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kfp import compiler, kubernetes
from typer.testing import CliRunner

from sluice.client.cli import app
from sluice.client.lint.command import lint
from sluice.client.lint.rules import RULES, Target
from sluice.errors import SluiceError
from tests.client import bypasses, planted

ROOT = Path(__file__).parents[2]
OURS = sorted([*ROOT.glob("build/components/*.yaml"), *ROOT.glob("build/pipelines/**/*.yaml")])
FOREIGN = [
    "unpinned_image", "missing_limits", "install_at_run_time", "secret_in_the_clear", "importer_in_condition", "one_of_artifacts",
    "optional_input", "if_without_else", "quote_in_condition", "outer_input_in_loop", "python3_in_value", "large_argument",
    "not_lightweight", "workspace",
]  # fmt: skip
GATES = [
    "verdict-not-from-its-gate",
    "other-model-judged",
    "other-policy",
    "push-past-a-closed-gate",
    "published-without-push",
]
ALSO = {"large_argument": {"not-lightweight"}}
"""What else is wrong with a planted pipeline."""


def compiled(name: str, folder: Path) -> Path:
    file = folder / f"{name}.yaml"
    compiler.Compiler().compile(getattr(planted, name), str(file))
    return file


def found(file: Path, *targets: Target) -> set[str]:
    return {finding.rule.id for finding in lint(file, targets)}


@pytest.mark.parametrize("file", OURS, ids=lambda path: path.relative_to(ROOT / "build").as_posix())
def test_our_own_builds_are_clean(file: Path) -> None:
    assert [(finding.rule.id, finding.detail) for finding in lint(file)] == []


def test_a_sound_pipeline_of_others_is_clean(tmp_path: Path) -> None:
    assert found(compiled("fine", tmp_path)) == set()


@pytest.mark.parametrize("name", FOREIGN)
def test_each_planted_problem_is_found_alone(name: str, tmp_path: Path) -> None:
    assert found(compiled(name, tmp_path)) == {name.replace("_", "-")} | ALSO.get(name, set())


@pytest.mark.parametrize(
    "name", ["secret_in_a_default", "secret_in_a_source", "secret_in_an_argument", "secret_in_a_flag"]
)
def test_secrets_are_found_wherever_they_stand_and_are_not_printed(name: str, tmp_path: Path) -> None:
    findings = [finding for finding in lint(compiled(name, tmp_path)) if finding.rule.id == "secret-in-the-clear"]
    assert findings
    assert not re.search("correct-horse|sk_live", " ".join(finding.detail for finding in findings))


def test_python3_in_a_default(tmp_path: Path) -> None:
    assert found(compiled("python3_in_a_default", tmp_path)) == {"python3-in-value"}


@pytest.mark.parametrize("way", bypasses.WAYS)
def test_every_way_past_the_gates_is_found(way: str, tmp_path: Path) -> None:
    file = tmp_path / "bypass.yaml"
    compiler.Compiler().compile(bypasses.bypass(ROOT / "build" / "components", way), str(file))
    assert found(file, Target.VERTEX) == bypasses.WAYS[way]


def test_a_push_that_ignores_failures_is_found(tmp_path: Path) -> None:
    """KFP does not let one write it; a file may have it."""
    file = tmp_path / "bypass.yaml"
    compiler.Compiler().compile(bypasses.bypass(ROOT / "build" / "components", ""), str(file))
    spec = yaml.safe_load(file.read_text())
    (push,) = (
        body["dag"]["tasks"]["push"]
        for body in spec["components"].values()
        if "push" in body.get("dag", {}).get("tasks", {})
    )
    push["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    file.write_text(yaml.safe_dump(spec))
    assert found(file, Target.VERTEX) == {"push-past-a-closed-gate"}


@pytest.mark.parametrize("way", ["", "elif"])
def test_gates_that_stand_before_a_push_are_enough(way: str, tmp_path: Path) -> None:
    file = tmp_path / "bypass.yaml"
    compiler.Compiler().compile(bypasses.bypass(ROOT / "build" / "components", way), str(file))
    assert found(file, Target.VERTEX) == set()


@pytest.mark.parametrize("change", GATES)
def test_each_gate_passed_by_is_found_alone(change: str, tmp_path: Path) -> None:
    file = tmp_path / "gated.yaml"
    compiler.Compiler().compile(planted.gated(ROOT / "build" / "components", change), str(file))
    assert found(file, Target.VERTEX) == {change}


def test_gates_wired_right_are_clean(tmp_path: Path) -> None:
    file = tmp_path / "gated.yaml"
    compiler.Compiler().compile(planted.gated(ROOT / "build" / "components", ""), str(file))
    assert found(file, Target.VERTEX) == set()


def test_every_rule_is_planted_and_documented() -> None:
    elsewhere = {"second-document", "resolver", "large-spec", *set().union(*bypasses.WAYS.values())}
    assert {name.replace("_", "-") for name in FOREIGN} | set(GATES) | elsewhere == set(RULES)
    page = (ROOT / "docs" / "lint.md").read_text()
    told = dict(re.findall(r"^\| `([a-z0-9-]+)` +\| (error|warning)", page, re.M))
    assert told == {rule.id: str(rule.level) for rule in RULES.values()}


def test_a_secret_in_an_environment_is_found_and_not_printed(tmp_path: Path) -> None:
    (finding,) = lint(compiled("secret_in_an_environment", tmp_path))
    assert finding.rule.id == "secret-in-the-clear"
    assert finding.detail.startswith("AWS_SECRET_ACCESS_KEY (AWS Access Key")
    assert "wJalr" not in finding.detail
    assert (
        "AWS_SECRET_ACCESS_KEY"
        in (tmp_path / "secret_in_an_environment.yaml").read_text().splitlines()[finding.line - 1]
    )


def test_settings_of_pods_are_refused_by_vertex_alone(tmp_path: Path) -> None:
    kubeflow = ROOT / "build" / "pipelines" / "kubeflow" / "training.yaml"
    assert found(kubeflow, Target.VERTEX) == {"second-document"}
    assert found(kubeflow, Target.KUBEFLOW) == set()
    assert kubernetes is not None


def test_resolvers_and_large_files(tmp_path: Path) -> None:
    file = compiled("fine", tmp_path)
    spec = yaml.safe_load(file.read_text())
    spec["deploymentSpec"]["executors"]["exec-say"] = {"resolver": {}}
    file.write_text(yaml.safe_dump(spec) + "#" * 300_000)
    assert found(file, Target.KUBEFLOW) == {"resolver", "large-spec"}
    assert found(file, Target.LOCAL) == set()


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    file = compiled("unpinned_image", tmp_path)
    (finding,) = lint(file)
    assert "image: docker.io/library/python:latest" in file.read_text().splitlines()[finding.line - 1]


def test_text_sarif_and_exit_status(tmp_path: Path) -> None:
    bad, warned, good = compiled("unpinned_image", tmp_path), compiled("missing_limits", tmp_path), OURS[0]
    text = CliRunner().invoke(app, ["lint", str(bad), str(good)])
    assert text.exit_code == 1
    assert re.search(r"unpinned_image.yaml:\d+: error: unpinned-image: executor exec-floating", text.output)
    assert CliRunner().invoke(app, ["lint", str(warned)]).exit_code == 0
    assert CliRunner().invoke(app, ["lint", str(good)]).output == "1 files, nothing found\n"
    sarif = json.loads(CliRunner().invoke(app, ["lint", str(bad), "--format", "sarif"]).output)
    (run,) = sarif["runs"]
    assert sarif["version"] == "2.1.0"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(RULES)
    (result,) = run["results"]
    assert result["ruleId"] == "unpinned-image"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] > 1
    assert result.keys() == {"ruleId", "level", "message", "locations"}
    for rule in run["tool"]["driver"]["rules"]:  # what the standard knows; a helpUri has to be absolute
        assert rule.keys() == {"id", "shortDescription", "help", "defaultConfiguration"}
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")


UNKNOWN = "root: {dag: {tasks: {a: {componentRef: {name: nowhere}}}}}\ndeploymentSpec: {executors: {}}\n"
ITSELF = UNKNOWN + "components: {nowhere: {dag: {tasks: {a: {componentRef: {name: nowhere}}}}}}\n"


@pytest.mark.parametrize("text", ["a: 1\n", "[1, 2]\n", "{", "root: {dag: 7}\n", "", UNKNOWN, ITSELF])
def test_what_is_no_pipeline_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(SluiceError, match="not a compiled pipeline"):
        lint(tmp_path / "file.yaml")
    with pytest.raises(SluiceError, match="no such file"):
        lint(tmp_path / "nowhere.yaml")
    with pytest.raises(SluiceError, match="cannot be read"):
        lint(tmp_path)
    (tmp_path / "file.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SluiceError, match="not a compiled pipeline"):
        lint(tmp_path / "file.yaml")


def test_the_local_runner_does_take_such_a_condition_for_false(tmp_path: Path) -> None:
    """The trap is there still: where KFP has mended it, the rule can go."""
    code = (
        "from kfp import local; from tests.client import planted;"
        f"local.init(local.SubprocessRunner(use_venv=False), pipeline_root={str(tmp_path)!r}); planted.if_without_else()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "'say'" not in done.stdout + done.stderr, done.stderr
    assert "'judge'" in done.stdout + done.stderr
