"""A user's own modules: by name or by file and digest, never a file without one; what they raise is theirs."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from sluice import digest, modules
from sluice.errors import SluiceError
from sluice.modules import Code, UserCodeError
from sluice.stages.runtime import stage
from sluice.storage import Store

GOOD = "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Kept:\n    x: int\n\n\n"
GOOD += "def double(x):\n    return Kept(2 * x).x\n\n\ndef half(x):\n    return x / 0\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_file_with_its_digest(file: Path, prefix: str) -> None:
    checked = digest.of_file(file)
    module = modules.load(f"{prefix}{file}", checked)
    assert modules.function(module, "double")(4) == 8
    assert modules.load(f"{prefix}{file}", checked.removeprefix("sha256:")) is module


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_file_in_a_store(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    code = f"# in {kind}\n{GOOD}".encode()
    Store.at(folder).put("code/mine.py", code)
    uri = f"{folder}/code/mine.py"
    module = modules.load(uri, digest.of_bytes(code))
    assert modules.function(module, "double")(4) == 8
    with pytest.raises(UserCodeError, match=f"{uri}: half: your code raised ZeroDivisionError") as caught:
        modules.function(module, "half")(1)
    assert "return x / 0" in "".join(traceback.format_exception(caught.value.__cause__))
    with pytest.raises(SluiceError, match="its code was not run"):
        modules.load(uri, "0" * 64)
    with pytest.raises(SluiceError, match=f"{folder}/code/other.py: no such file"):
        modules.load(f"{folder}/code/other.py", "0" * 64)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=f"{tmp_path}: the file cannot be read: .*\n  check the address"):
        modules.load(str(tmp_path), "0" * 64)


def test_two_files_of_one_name_are_two_modules(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "mine.py"
    other.parent.mkdir()
    other.write_text("def double(x):\n    return 'other'\n")
    loaded = [modules.load(str(path), digest.of_file(path)) for path in (file, other)]
    assert [modules.function(module, "double")(1) for module in loaded] == [2, "other"]


def test_a_name(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.syspath_prepend(file.parent)
    assert modules.function(modules.load("mine"), "double")(1) == 2


def test_a_changed_file_is_not_run(file: Path) -> None:
    checked = digest.of_file(file)
    mark = file.with_name("ran")
    file.write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(SluiceError, match="its code was not run") as caught:
        modules.load(str(file), checked)
    assert digest.of_file(file) in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("module", "sha256", "message"),
    [
        ("gs://bucket/mine.py", "", "code from a file needs its sha256"),
        ("mine.py", "", "code from a file needs its sha256"),
        ("/nowhere/mine.py", "0" * 64, "/nowhere/mine.py: no such file"),
        ("json", "0" * 64, "a digest goes with a file"),
        ("no_such_package.features", "", "there is no module 'no_such_package.features' here"),
        ("json.no_such", "", "there is no module 'json.no_such' here"),
    ],
)
def test_mistakes(module: str, sha256: str, message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        modules.load(module, sha256)


def test_a_function_that_is_not_there(file: Path) -> None:
    with pytest.raises(SluiceError, match="the module has no function 'triple'"):
        modules.function(modules.load(str(file), digest.of_file(file)), "triple")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("x = 1\nraise RuntimeError('not today')\n", "RuntimeError: not today", "raise RuntimeError('not today')"),
        ("def f(:\n", "SyntaxError: invalid syntax", "def f(:"),
        (
            "import no_such_package\n",
            "ModuleNotFoundError: No module named 'no_such_package'",
            "import no_such_package",
        ),
    ],
)
@pytest.mark.parametrize("by_name", [True, False])
def test_a_module_that_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, line: str, by_name: bool
) -> None:
    file = tmp_path / f"broken_{digest.of_bytes(text.encode())[7:15]}.py"
    file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserCodeError, match="your code raised") as caught:
        modules.load(file.stem) if by_name else modules.load(str(file), digest.of_file(file))
    assert message in str(caught.value)
    told = "".join(traceback.format_exception(caught.value.__cause__))
    assert line in told
    assert str(file) in told
    assert modules.OURS not in told


def test_a_stage_prints_their_traceback_then_one_line_of_ours(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @stage
    def work() -> None:
        modules.function(modules.load(str(file), digest.of_file(file)), "half")(1)

    with pytest.raises(SystemExit, match="1"):
        work()
    told = capsys.readouterr().err
    theirs, ours = told.split("✗ ")
    assert theirs.startswith("Traceback (most recent call last):")
    assert "return x / 0" in theirs
    assert theirs.rstrip().endswith("ZeroDivisionError: division by zero")
    assert modules.OURS not in theirs
    assert "half: your code raised ZeroDivisionError: division by zero" in ours


def test_whoever_calls_a_module_it_is_to_blame_for_what_it_raises(tmp_path: Path) -> None:
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "layers.py").write_text("def call(x):\n    raise ValueError(f'not {x}')\n")
    (package / "model.py").write_text("from theirs import layers\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        module = modules.load("theirs.model")
        with (
            pytest.raises(UserCodeError, match=f"{package}/model.py: your code raised ValueError: not 7") as caught,
            modules.blamed(module),
        ):
            [module.layers.call(x) for x in (7,)]
        assert caught.value.__cause__ is not None
        told = traceback.format_exception(caught.value.__cause__)
        assert len(told) == 3
        assert "raise ValueError" in told[1]
        with pytest.raises(SluiceError, match="it is not right") as ours, modules.blamed(module):
            raise SluiceError("it is not right")
        assert not isinstance(ours.value, UserCodeError)
        with pytest.raises(ZeroDivisionError), modules.blamed(module):
            1 / 0  # noqa: B018


def test_a_module_that_leaves_the_process_leaves_no_step_green(tmp_path: Path) -> None:
    file = tmp_path / "leaves.py"
    file.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(UserCodeError, match="your code raised SystemExit: 0"):
        modules.load(str(file), digest.of_file(file))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"module": "gs://bucket/mine.py"}, "code from a file needs its sha256"),
        ("mine.py", "code from a file needs its sha256"),
        ({"module": "mine", "sha256": "0" * 64}, "a digest goes with a file"),
        ({"module": "mine.py", "sha256": "md5:0"}, "sha256"),
    ],
)
def test_the_configuration_says_so_before_anything_runs(given: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Code.model_validate(given)


def test_the_configuration() -> None:
    assert Code.model_validate("my_package.features") == Code(module="my_package.features")
    assert Code.model_validate({"module": "a.py", "sha256": "0" * 64}).is_file
    assert Code() == Code(module="", sha256="")
