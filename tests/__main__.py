"""Run all tests, those of the two environments side by side: python -m tests [--workers N] [--coverage] [OPTION of pytest]..."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
LOGS = ROOT / ".cache" / "tests"
PATIENCE = 30.0
"""Seconds that interrupted tests have to end their servers."""


@dataclass
class Suite:
    """The tests of one environment: a pytest in a session of its own, which writes a log."""

    title: str
    environment: str
    workers: int
    options: list[str]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.environment}.log"

    def start(self, command: list[str]) -> None:
        python = ROOT / self.environment / "bin" / "python"
        self.process = subprocess.Popen(
            [python, *command, f"--numprocesses={self.workers}", "--dist=loadgroup", *self.options, "tests"],
            stdin=subprocess.DEVNULL, stdout=self.log.open("w"), stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
            # OpenMP's threads wait for each other by spinning: where others want the processor, that costs six times the work.
            env={"OMP_WAIT_POLICY": "passive", **os.environ},
        )  # fmt: skip

    def follow(self, out: IO[bytes]) -> None:
        """Show all that it wrote and writes, to its end."""
        with self.log.open("rb") as written:
            ended = False
            while not ended:
                ended = self.process.poll() is not None
                out.write(written.read())
                out.flush()
                time.sleep(0.0 if ended else 0.2)

    def interrupt(self) -> None:
        """As Ctrl-C in a terminal: all its processes get it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> None:
        """Wait for an interrupted suite, then end what it has left."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def closing(self) -> str:
        """The line that pytest ends with."""
        return self.log.read_text().rstrip().rpartition("\n")[2]


def processors() -> int:
    """How many workers this machine has processors for, and two GiB of memory each."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(len(os.sched_getaffinity(0)), memory // (2 << 30)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__, allow_abbrev=False)
    parser.add_argument("--workers", type=int, default=processors(), help="processes that run tests; 0: one a suite")
    parser.add_argument("--coverage", action="store_true", help="record which lines are reached; without workers")
    given, options = parser.parse_known_args()
    command = ["-m", *(["coverage", "run", "-m"] if given.coverage else []), "pytest"]
    workers = 0 if given.coverage else given.workers
    if sys.stdout.isatty():
        options = ["--color=yes", *options]
    # Most light tests wait for servers and steps; TensorFlow's use a processor, and more than one where they can.
    suites = [
        Suite("kfp, client, light stages", ".venv", workers, options),
        Suite("TensorFlow", ".venv-components", (workers + 1) // 2, options),
    ]
    return run(suites, command)


def run(suites: list[Suite], command: list[str]) -> int:
    """Run suites at once and show one after the other; returns the exit status: 0 where all of them passed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    lock = (LOGS / "lock").open("w")  # held to the end of this process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"tests: another run of all tests writes to {LOGS}: wait for it, or run pytest on single files")
    signal.signal(signal.SIGTERM, _interrupted)
    started: list[Suite] = []
    try:
        for suite in suites:
            suite.start(command)
            started.append(suite)
        for suite in suites:
            print(f"── {suite.title} ({suite.environment})", flush=True)
            suite.follow(sys.stdout.buffer)
    except BaseException as error:
        for suite in started:
            suite.interrupt()
        for suite in started:
            suite.end()
        if not isinstance(error, KeyboardInterrupt):
            raise
        print("\ninterrupted; the logs are in .cache/tests")
        return 130
    print("──")
    for suite in suites:
        print(f"{suite.closing()}  ({suite.title})")
    return max(abs(suite.process.returncode) for suite in suites)


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
