"""How the tests themselves are run: suites side by side, and what their workers share."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import __main__ as suites
from tests.shared import shared


class Worker:
    """Pytest's factory of folders in one worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def getbasetemp(self) -> Path:
        return self._folder


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return [Worker(tmp_path / name) for name in ("gw0", "gw1")]


def test_what_is_shared_is_started_once_and_ended_last(workers: list[Any]) -> None:
    events: list[str] = []

    @contextmanager
    def server() -> Iterator[list[int]]:
        events.append("started")
        yield [1, 2]
        events.append("ended")

    def first() -> None:
        with shared(workers[0], "server", server):
            joined.wait()
        events.append("the first is through")

    joined, user = threading.Event(), threading.Thread(target=first)
    user.start()
    while not events:
        user.join(0.01)
    with shared(workers[1], "server", server) as ports:
        joined.set()
        user.join(0.3)
        events.append("the second is through")
        assert ports == [1, 2]
    user.join()
    assert events == ["started", "the second is through", "ended", "the first is through"]
    with shared(workers[1], "server", server):
        assert events[-1] == "started"


def test_what_does_not_start_is_tried_again(workers: list[Any]) -> None:
    @contextmanager
    def server(port: int) -> Iterator[int]:
        if not port:
            pytest.skip("not here")
        yield port

    for worker in workers:
        with pytest.raises(pytest.skip.Exception), shared(worker, "server", lambda: server(0)):
            pass
    with shared(workers[0], "server", lambda: server(7)) as port:
        assert port == 7


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    monkeypatch.setattr(suites, "LOGS", tmp_path / "logs")
    monkeypatch.setattr("sys.argv", ["tests", "--workers=2", "--durations=10"])
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def environment(checkout: Path, name: str, script: str) -> None:
    """An interpreter that does what a script says."""
    python = checkout / name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


@pytest.mark.parametrize(("light", "heavy"), [(0, 0), (1, 0), (0, 1), (5, 0)])
def test_both_suites_are_shown_whole_and_either_can_fail(
    checkout: Path, capfdbinary: pytest.CaptureFixture[bytes], light: int, heavy: int
) -> None:
    environment(checkout, ".venv", f"printf 'light: …'; sleep 0.3; echo; echo 3 passed; exit {light}")
    environment(checkout, ".venv-components", f'echo "heavy: $*"; echo 4 passed; exit {heavy}')
    assert suites.main() == max(light, heavy)
    said = capfdbinary.readouterr().out.decode()
    first, second, end = said.split("──")[1:]
    assert "light: …\n3 passed\n" in first
    assert "heavy: -m pytest --numprocesses=1 --dist=loadgroup --durations=10 tests\n4 passed\n" in second
    assert end.split("\n")[1:3] == ["3 passed  (kfp, client, light stages)", "4 passed  (TensorFlow)"]


def test_an_interrupt_ends_both_suites(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    go_on = "while :; do sleep 0.05; done"
    wind_up = "trap 'echo wound up; exit 2' INT"
    environment(checkout, ".venv-components", f"{wind_up}; echo begun; {go_on}")
    begun = checkout / "logs" / ".venv-components.log"
    environment(
        checkout, ".venv", f"{wind_up}; until [ -s {begun} ]; do sleep 0.05; done; kill -TERM {os.getpid()}; {go_on}"
    )
    assert suites.main() == 130
    for name in (".venv", ".venv-components"):
        assert (checkout / "logs" / f"{name}.log").read_text().endswith("wound up\n")


def test_a_second_run_does_not_write_to_the_logs_of_the_first(checkout: Path) -> None:
    (checkout / "logs").mkdir()
    with (checkout / "logs" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="another run of all tests writes to"):
            suites.main()
    assert not list((checkout / "logs").glob("*.log"))
