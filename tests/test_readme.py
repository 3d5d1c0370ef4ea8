"""README is true: its use case loads, its commands run, its code runs, its targets exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sluice.config.usecase import UseCase
from sluice.promotion.ledger import Kind, Ledger

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("components/*/README.md"))]
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", README, re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


COMMANDS = [
    line.partition("#")[0].strip()
    for text in blocks("sh")
    for line in text.splitlines()
    if line.startswith(".venv/bin/sluice")
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the commands read, with a ledger of one entry."""
    folder = tmp_path_factory.mktemp("checkout")
    for part in ("components", "pipelines", "examples/flights/sluice.yaml"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, folder / part)
    Ledger.at(str(folder / "runs/flights/ledger")).append(
        Kind.PROMOTED, after=None, model="sha256:m", span="1-3", use_case="flights"
    )
    return folder


def test_the_commands_are_there() -> None:
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(checkout: Path, command: str) -> None:
    _, *arguments = shlex.split(command)
    done = subprocess.run(
        [Path(sys.executable).with_name("sluice"), *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_code_runs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(
        [Path(sys.executable).with_name("sluice"), "compile", "--out", "compiled"],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    monkeypatch.chdir(checkout)
    scope: dict[str, object] = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec", dont_inherit=True), scope)  # noqa: S102 - our own README
    assert yaml.safe_load((checkout / "mine.yaml").read_text())["deploymentSpec"]["executors"]["exec-ingest"]


def test_the_use_case_loads() -> None:
    for text in blocks("yaml"):
        UseCase.model_validate(yaml.safe_load(text))


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text())):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_paths_exist() -> None:
    for text in (page.read_text() for page in PAGES):
        for path in re.findall(r"`((?:sluice|components|pipelines|build|examples|tests)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), path


def test_components_pages_run(tmp_path: Path, flights: Path) -> None:
    """The code and the commands of every component's page."""
    for page in PAGES[2:]:
        for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S):
            if language == "python":
                exec(compile(text, str(page), "exec", dont_inherit=True), {})  # noqa: S102 - our own page
            for line in text.splitlines() if language == "sh" else ():
                command = line.replace(".venv/bin/sluice", str(Path(sys.executable).with_name("sluice")))
                command = command.replace("examples/flights", str(ROOT / "examples" / "flights"))
                done = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, check=False)
                assert done.returncode in (0, 3), f"{page}: {line}\n{done.stderr}"
