"""A fresh, limited process that serves one export, and what a client gets to see of it."""

from __future__ import annotations

import resource
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES")
"""Environment variables that a server gets: no credential is among them."""
LARGEST_FILE = 64 << 20
"""Bytes that a server may write to one file: it serves, it does not store."""
MIB = 2**20
WATCH = 0.1
"""Seconds between two looks at the memory."""


class RefusedError(Exception):
    """The server answered by an error; its words."""


class GoneError(Exception):
    """The server has died or does not answer; its last words."""


class Client(Protocol):
    """One protocol of a running server. Rows come by feature: name to a list of values."""

    def predict(self, rows: dict[str, list[Any]]) -> list[Any]:
        """Predictions for some rows.

        Raises:
            RefusedError: the server says that something is wrong with the request.
            GoneError: it does not answer.
        """

    def malformed(self, row: dict[str, list[Any]]) -> Mapping[str, bool]:
        """Description of each malformed request to whether it was refused."""


@dataclass
class Process:
    """A fresh process with limits: no inherited secrets, no core dumps, no large files, a bound on resident memory.

    Attributes:
        command: what to run.
        max_memory: resident memory, in bytes, past which it is stopped.
        environment: variables besides those that are passed on.
        peak: largest resident memory so far of the process and its children, in bytes.
        failure: why it is gone; empty while it lives.
    """

    command: list[str]
    max_memory: float
    environment: dict[str, str] = field(default_factory=dict)
    peak: int = 0
    failure: str = ""

    def start(self, *, pipes: bool = False) -> None:
        """Start it; with `pipes` its standard streams are kept to talk over."""
        import os

        self._scratch = tempfile.TemporaryDirectory(prefix="sluice-probe-")
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        home = {"HOME": self._scratch.name, "TMPDIR": self._scratch.name}
        talk = subprocess.PIPE if pipes else None
        self.popen = subprocess.Popen(
            self.command, stdin=talk or subprocess.DEVNULL, stdout=talk or self._log, stderr=self._log, text=True,
            env={**inherited, **home, **self.environment}, start_new_session=True,
        )  # fmt: skip
        resource.prlimit(self.popen.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(self.popen.pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        self._watched = psutil.Process(self.popen.pid)
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End it and its children; nothing of it is left."""
        self._over.set()
        self._kill()
        self.popen.wait()
        self._watcher.join()
        for stream in (self.popen.stdin, self.popen.stdout, self._log):
            if stream:
                stream.close()
        self._scratch.cleanup()

    @property
    def resident(self) -> int:
        """Resident memory now, of the process and its children, in bytes."""
        total = 0
        for process in self._family():
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue  # it ended in between
        return total

    def gone(self) -> str:
        """Why it is gone: its last words; empty while it lives."""
        if not self.failure and self.popen.poll() is not None:
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            self.failure = lines[-1] if lines else f"exit status {self.popen.returncode}"
        return self.failure

    def _watch(self) -> None:
        while not self._over.is_set() and self.popen.poll() is None:
            self.peak = max(self.peak, self.resident)
            if self.peak > self.max_memory:
                self.failure = f"it took {self.peak / MIB:,.0f} MiB of memory, {self.max_memory / MIB:,.0f} are allowed, and was stopped"
                self._kill()
                return
            self._over.wait(WATCH)

    def _family(self) -> list[psutil.Process]:
        try:
            return [self._watched, *self._watched.children(recursive=True)]
        except psutil.Error:
            return []

    def _kill(self) -> None:
        for process in reversed(self._family()):
            try:
                process.kill()
            except psutil.Error:
                continue


@dataclass
class Running:
    """A server that was started.

    Attributes:
        name: the server and its version, for the record.
        process: the process.
        clients: protocol to its client; a bare process has one under "".
        load_seconds: from the start to readiness.
        failure: why it is not ready; empty where it is.
    """

    name: str
    process: Process
    clients: dict[str, Client] = field(default_factory=dict)
    load_seconds: float = 0.0
    failure: str = ""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_until_ready(process: Process, url: str, seconds: float) -> str:
    """Ask a readiness URL until it answers 200; returns why it did not, if so."""
    import urllib3

    pool = urllib3.PoolManager(timeout=5.0, retries=False)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if failure := process.gone():
            return failure
        try:
            if pool.request("GET", url).status == 200:
                return ""
        except urllib3.exceptions.HTTPError:
            pass  # it does not listen yet
        time.sleep(0.05)
    return process.gone() or f"it was not ready within {seconds:,.0f} s"


def script(name: str) -> Path:
    """A server's script."""
    return Path(__file__).with_name(f"{name}.py")
