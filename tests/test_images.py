"""Images: what describes them is sound; what is in them is tested by `make images-test` and `make run-containers`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "images"
IMAGES = sorted(path.parent.name for path in FOLDER.glob("*/image.toml"))


def described(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name / "image.toml").read_text())


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), FOLDER / "Containerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_makefile_builds_them_all() -> None:
    match = re.search(r"^IMAGES \?= (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert match
    assert sorted(match[1].split()) == IMAGES


@pytest.mark.parametrize("name", IMAGES)
def test_requirements_are_locked_with_hashes(name: str) -> None:
    lock = (FOLDER / name / "requirements.lock").read_text()
    packages = re.findall(r"^[a-z0-9][\w.\[\]-]*==", lock, re.M)
    assert len(packages) == len(re.findall(r"^[a-z0-9][^\n]*\\\n    --hash=sha256:", lock, re.M))
    wanted = [line.split("#")[0].strip() for line in (FOLDER / name / "requirements.in").read_text().splitlines()]
    for line in wanted:
        if line and not line.startswith("-r"):
            package = re.split(r"[<>=\[; ]", line)[0].lower().replace("_", "-")
            assert re.search(rf"^{re.escape(package)}(\[.*\])?==", lock, re.M), package


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_says_what_it_is_for_what_proves_it_and_how_large_it_may_be(name: str) -> None:
    image = described(name)
    assert image["description"]
    assert {"unpacked", "compressed"} == image["limits"].keys()
    assert all(re.fullmatch(r"[\w.]+:[\w.]+", use) for use in image["uses"])
    for path in image["tests"]:
        assert (ROOT / path.removeprefix("--deselect=").partition("::")[0]).exists(), path


def test_the_images_of_the_components_keep_their_budgets() -> None:
    assert described("tensorflow")["limits"] == {"unpacked": 1600, "compressed": 550}
    assert described("light")["limits"] == {"unpacked": 350, "compressed": 120}
