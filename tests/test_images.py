"""Images: what describes them is sound, and where an engine has them, they are what they should be; one is pushed."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import REQUIRED, engine, image, lacking

__all__ = ["engine"]

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


BASES = "docker.io/library/python:3.13-slim-trixie", "localhost/python:3.13-slim"
STUB = """#!/bin/sh
case "$1 $2" in
    "info "*) exit {answers} ;;
    "image inspect") exit {local} ;;
esac
"""


@pytest.mark.parametrize(
    ("given", "answers", "local", "said"),
    [
        ({}, 0, 1, f"CONTAINER_ENGINE=docker BASE_IMAGE={BASES[0]}"),
        ({}, 0, 0, f"CONTAINER_ENGINE=docker BASE_IMAGE={BASES[1]}"),
        ({"BASE_IMAGE": "mine@sha256:1"}, 0, 0, "CONTAINER_ENGINE=docker BASE_IMAGE=mine@sha256:1"),
        ({"CONTAINER_ENGINE": "docker"}, 1, 1, f"CONTAINER_ENGINE=docker BASE_IMAGE={BASES[0]}"),
        ({}, 1, 1, "no container engine answers: install podman, or start Docker"),
        ({"CONTAINER_ENGINE": "nerdctl"}, 0, 0, "no nerdctl here: install it"),
    ],
)
def test_the_engine_and_the_base_are_found(
    given: dict[str, str], answers: int, local: int, said: str, tmp_path: Path
) -> None:
    for tool in ("bash", "env", "dirname", "basename", "sh"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "docker").write_text(STUB.format(answers=answers, local=local))
    (tmp_path / "docker").chmod(0o755)
    environment = {"PATH": str(tmp_path), "CONTAINERS_TOOL": str(tmp_path / "absent"), **given}
    done = subprocess.run([ROOT / "build" / "engine"], env=environment, capture_output=True, text=True, check=False)
    assert said in done.stdout + done.stderr
    assert (done.returncode == 0) is said.startswith("CONTAINER_ENGINE")


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


LOOK = """
import json, os, shutil, stat, sys
from pathlib import Path
files = [path for folder in ("/bin", "/usr/bin", "/usr/sbin", "/usr/local/bin") for path in Path(folder).iterdir() if path.is_file()]
bill = json.loads(Path("/opt/library/sbom.cdx.json").read_text())
print(json.dumps({
    "user": os.getuid(),
    "tools": [name for name in ("cc", "gcc", "g++", "ld", "as", "make", "pip", "pip3") if shutil.which(name)],
    "raises": [str(path) for path in files if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)],
    "writable": [path for path in ("/opt/library", "/opt/sluice", "/usr", "/etc") if os.access(path, os.W_OK)],
    "bill": [bill["bomFormat"], bill["specVersion"], sorted(item["name"] for item in bill["components"])],
    "compiled": bool(list(Path("/opt/library/sluice").rglob("*.pyc"))),
}))
"""


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_runs_as_no_root_has_no_compiler_and_tells_what_is_in_it(engine: Any, name: str) -> None:
    full = image(engine, name)
    found = json.loads(engine.containers.run(full, ["python3", "-c", LOOK], remove=True, network_mode="host"))
    assert found["user"] == 10001
    assert (found["tools"], found["raises"], found["writable"]) == ([], [], [])
    assert found["compiled"]
    kind, version, packages = found["bill"]
    assert (kind, version) == ("CycloneDX", "1.6")
    lock = (FOLDER / name / "requirements.lock").read_text()
    assert {"pydantic", "obstore", "kfp"} <= set(packages)
    assert len(packages) > len(re.findall(r"^[a-z0-9][\w.\[\]-]*==", lock, re.M)) // 2
    labels = engine.images.get(full).labels
    assert labels["org.opencontainers.image.title"] == f"sluice/{name}"
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")
    assert {
        f"org.opencontainers.image.{key}" for key in ("version", "revision", "licenses", "description", "base.name")
    } <= labels.keys()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry of images on loopback: Debian's package docker-registry."""
    if not (program := shutil.which("docker-registry")):
        lacking("no docker-registry here", required=bool(os.environ.get(REQUIRED)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "store")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(config))
    (tmp_path / "registries.conf").write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    with subprocess.Popen(
        [str(program), "serve", tmp_path / "registry.yml"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as server:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0:
                    break
            time.sleep(0.1)
        yield address
        server.terminate()


def test_an_image_is_pushed_and_its_digest_is_the_registry_s(engine: Any, registry: str, tmp_path: Path) -> None:
    """`make images-push`, as the pages and cloudbuild.yaml call it."""
    full, here = image(engine, "light"), f"{registry}/sluice/light"
    engine.images.get(full).tag(here, "0.1.0")
    command = ["make", "images-push", f"REGISTRY={registry}/sluice", "IMAGES=light", f"DIGESTS={tmp_path}/digests.txt"]
    environment = {**os.environ, "CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf")}
    try:
        for _ in range(2):  # again: the file names an image once
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        engine.images.remove(f"{here}:0.1.0")
    ((name, digest),) = (line.split("=") for line in (tmp_path / "digests.txt").read_text().splitlines())
    assert name == "light"
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    asked = urllib.request.Request(f"http://{registry}/v2/sluice/light/manifests/{digest}", headers={"Accept": kinds})
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - loopback
        assert answer.headers["Docker-Content-Digest"] == digest
