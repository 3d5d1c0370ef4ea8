"""A real container engine: what tests of images and of runs in containers need."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REGISTRY = os.environ.get("SLUICE_TEST_REGISTRY", "localhost/sluice")
REQUIRED = "SLUICE_TEST_IMAGES"
"""Environment variable: images that have to be there, as in continuous integration; tests that lack another are skipped."""

ROOT = Path(__file__).parents[1]
LIBRARY = """
import hashlib
from pathlib import Path
print(hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path("/opt/library/sluice").rglob("*.py")))).hexdigest())
"""
"""Prints the digest of the library in an image."""


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A container engine that answers."""
    import docker

    try:
        found = docker.from_env()
        found.ping()
    except docker.errors.DockerException as error:
        lacking(f"no container engine answers (eval $(build/engine)): {error}", required=bool(os.environ.get(REQUIRED)))
    yield found
    found.close()


def image(engine: Any, name: str) -> str:
    """The full name of an image of ours that the engine has."""
    import docker

    full, required = f"{REGISTRY}/{name}:0.1.0", name in os.environ.get(REQUIRED, "").split()
    try:
        engine.images.get(full)
    except docker.errors.ImageNotFound:
        lacking(f"{full} is not built (make images)", required=required)
    made = engine.containers.run(full, ["python3", "-c", LIBRARY], remove=True, network_mode="host").decode().strip()
    here = hashlib.sha256(b"".join(path.read_bytes() for path in sorted((ROOT / "sluice").rglob("*.py")))).hexdigest()
    if made != here:
        lacking(f"{full} holds another library than this checkout (make images)", required=required)
    return full


def lacking(what: str, *, required: bool) -> None:
    """Skip a test, or fail it where what it lacks has to be there."""
    if required:
        pytest.fail(what)
    pytest.skip(what)
