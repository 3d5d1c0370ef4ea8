"""One interpreter of the component environment that holds its libraries already, for all tests of a suite.

Where importing TensorFlow is not what a test is about, `warm` spares it the seconds that this takes.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sluice.client import warm as command
from sluice.client.environments import VARIABLE, python
from sluice.client.local import PRELOAD
from tests.shared import shared

ROOT = Path(__file__).parents[1]
STAND_IN = """#!/bin/sh
case "$1 $2" in
"-m "*) exec {python} -S -E {command} run {socket} "$@" ;;  # a module: forked from the warm interpreter
*"/warm.py serve") ln -s {socket} "$3" && exec cat >/dev/null ;;  # another warm interpreter: this one
*) exec {python} "$@" ;;
esac
"""


@pytest.fixture(scope="session")
def warm_interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What stands for the component environment's ``python``."""
    with shared(tmp_path_factory, "warm", _warm) as path:
        yield path


@pytest.fixture
def warm(warm_interpreter: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Steps and commands of this test that need TensorFlow are forked from the warm interpreter."""
    monkeypatch.setenv(VARIABLE, warm_interpreter)
    return warm_interpreter


@contextmanager
def _warm() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        socket, stand_in = Path(folder, "socket"), Path(folder, "python")
        real, script = python("tensorflow"), command.__file__
        serve = [real, script, "serve", socket, *PRELOAD]
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
        environment = {**os.environ, **quiet, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(serve, stdin=subprocess.PIPE, env=environment) as process:
            try:
                while not socket.exists():
                    assert process.poll() is None, "the component environment does not import TensorFlow"
                    time.sleep(0.05)
                quoted = {"python": real, "command": script, "socket": socket}
                stand_in.write_text(STAND_IN.format(**{name: shlex.quote(str(path)) for name, path in quoted.items()}))
                stand_in.chmod(0o755)
                yield str(stand_in)
            finally:
                process.terminate()
