"""Servers that the probe's tests start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kserve_here() -> None:
    """KServe's environment is here, or the test is skipped in words (on continuous integration it fails)."""
    from sluice.serving.servers import kserve

    if not kserve.interpreter_path().exists():
        reason = "KServe's environment is not here: build/environments kserve"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture
def tensorflow_model_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in on the PATH: TensorFlow Serving's own servicer classes around the real SavedModel."""
    binary = tmp_path / "bin" / "tensorflow_model_server"
    binary.parent.mkdir()
    stand_in = Path(__file__).with_name("tensorflow_model_server.py")
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in} "$@"\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
    return binary
