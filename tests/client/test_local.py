"""The local runner: the interpreter of each image, both branches of a condition, errors in words."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from kfp import compiler, dsl

from sluice.client import environments
from sluice.client.local import Run, Step
from sluice.errors import SluiceError


@dsl.component(base_image="registry.example/sluice/tensorflow:1", install_kfp_package=False)
def judge(limit: int, given: int, note: str, verdict: dsl.Output[dsl.Artifact]) -> NamedTuple("Gate", [("gate", str)]):
    import sys
    from pathlib import Path

    import tensorflow as tf

    print("· loading", file=sys.stderr)
    if given > limit:
        print(f"✗ judge: {given} is more than {limit}\n  give less", file=sys.stderr)
        sys.exit(1)
    Path(verdict.path).write_text(f"{sys.executable} {note} {tf.reduce_sum([given]).numpy()}")
    return ("open" if given > 2 else "closed",)


@dsl.component(base_image="sluice/light@sha256:0", install_kfp_package=False)
def say(text: str) -> str:
    import sys

    return f"{text} {sys.executable}"


@dsl.pipeline
def line(first: int, second: int, limit: int):
    outer = judge(limit=limit, given=first, note="a path with python3 in it")
    with dsl.If(outer.outputs["gate"] == "open", name="outer-open"):
        inner = judge(limit=limit, given=second, note="inner")
        with dsl.If(inner.outputs["gate"] == "open", name="inner-open"):
            say(text="both open")
        with dsl.Else(name="inner-closed"):
            say(text="inner closed")
    with dsl.Else(name="outer-closed"):
        say(text="outer closed")


@dsl.pipeline
def light():
    say(text="light")


@dataclass
class Watch:
    messages: list[str] = field(default_factory=list)

    def started(self, step: Step) -> None:
        self.messages.append(f"{step.name} starts")

    def said(self, step: Step, message: str) -> None:
        self.messages.append(f"{step.name} {message}")

    def ended(self, step: Step) -> None:
        self.messages.append(f"{step.name} ends")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "line.yaml"
    compiler.Compiler().compile(line, str(path))
    return path


@pytest.mark.parametrize(
    ("first", "second", "says"), [(3, 3, "both open"), (3, 1, "inner closed"), (1, 3, "outer closed")]
)
def test_each_branch_in_the_interpreter_of_its_image(
    spec: Path, tmp_path: Path, first: int, second: int, says: str
) -> None:
    watch = Watch()
    run = Run(tmp_path, watch)
    run.pipeline(spec, {"first": first, "second": second, "limit": 10})
    assert run.steps[-1].values == {"Output": f"{says} {sys.executable}"}
    written = run.steps[0].outputs["verdict"].read_text()
    assert written == f"{environments.python('sluice/tensorflow:1')} a path with python3 in it {first}"
    assert watch.messages[:3] == ["judge starts", "judge loading", "judge ends"]
    assert all(step.succeeded and step.cpu > 0 and step.peak > 10 << 20 and step.error == "" for step in run.steps)
    assert run.imports > 0


def test_a_failing_step_ends_the_run_with_its_own_words(spec: Path, tmp_path: Path) -> None:
    run = Run(tmp_path, Watch())
    with pytest.raises(SluiceError) as caught:
        run.pipeline(spec, {"first": 11, "second": 3, "limit": 10})
    assert str(caught.value).startswith("step judge: 11 is more than 10\n  give less\n")
    assert [step.succeeded for step in run.steps] == [False]
    assert "11 is more than 10" in (tmp_path / "log.txt").read_text()


def test_a_run_without_tensorflow_does_not_wait_for_its_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, waited = tmp_path / "python", tmp_path / "waited"
    slow.write_text(
        f"#!{sys.executable}\nimport pathlib, time\ntime.sleep(20)\npathlib.Path({str(waited)!r}).touch()\n"
    )
    slow.chmod(0o755)
    monkeypatch.setenv(environments.VARIABLE, str(slow))
    compiler.Compiler().compile(light, str(tmp_path / "light.yaml"))
    run = Run(tmp_path / "run", Watch())
    run.pipeline(tmp_path / "light.yaml", {})
    assert [step.succeeded for step in run.steps] == [True]
    assert not waited.exists()


def test_an_unknown_image_is_refused() -> None:
    with pytest.raises(SluiceError, match="no interpreter on this machine"):
        environments.python("docker.io/library/redis:7")


def test_a_missing_component_environment_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environments.VARIABLE, "/nowhere/python")
    with pytest.raises(SluiceError, match="make setup"):
        environments.python("sluice/tensorflow:1")
