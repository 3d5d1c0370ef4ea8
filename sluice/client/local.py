"""Running compiled pipelines on this machine through KFP's local runner, each step in the interpreter of its image.

KFP's `SubprocessRunner` runs every step in the interpreter that runs the pipeline. `StepHandler` takes its place: it
picks the interpreter by image, forks TensorFlow steps from a warm one, keeps the noise in a log and tells an observer
what happens. It is put where KFP looks its handler up, as KFP dispatches on the runner's exact type.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from sluice.client import environments, warm
from sluice.client.exit_status import ExitStatus
from sluice.client.processes import end_group
from sluice.errors import SluiceError
from sluice.run import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the TensorFlow steps import anyway; imported once a run.
PRELOAD = (
    "tensorflow",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "pandas",
    "pyarrow.parquet",
    "pydantic",
)


@dataclass
class Step:
    """One step of a run.

    Attributes:
        name: the component's name, e.g. ``validate``.
        outputs: output artifact name to its local path.
        wall: seconds from start to end.
        cpu: CPU seconds of its process and their children.
        peak: peak resident memory of its largest process, in bytes.
        succeeded: whether it exited with 0; None while it runs.
        error: what it said when it failed.
        values: output parameters.
        inputs: input parameters.
        metadata: output artifact name to its metadata.
        start: when it started, by the monotonic clock, in seconds.
    """

    name: str
    outputs: dict[str, Path] = field(default_factory=dict)
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    succeeded: bool | None = None
    error: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)


class StepError(SluiceError):
    """A step failed."""

    exit_status = ExitStatus.FAILED


class Observer(Protocol):
    """Who watches a run."""

    def started(self, step: Step) -> None:
        """A step starts."""

    def said(self, step: Step, message: str) -> None:
        """A step tells what it does."""

    def ended(self, step: Step) -> None:
        """A step has ended."""


@dataclass
class Run:
    """A run on this machine: where it keeps its things, who watches, and what was done.

    Attributes:
        folder: artifacts and ``log.txt`` go here.
        observer: told of every step.
        steps: the steps so far, in order.
        imports: CPU seconds that the warm interpreter spent on imports, shared by all its steps.
        id: the run's ID.
    """

    folder: Path
    observer: Observer
    steps: list[Step] = field(default_factory=list)
    imports: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _socket: str = ""
    _warm: subprocess.Popen[bytes] | None = None

    def pipeline(self, spec: Path, arguments: dict[str, Any]) -> None:
        """Run a compiled pipeline (or component) to its end.

        Raises:
            StepError: a step failed; says which, what it said, and where its log is.
            KeyboardInterrupt: the run was interrupted; no child process is left, and nothing of the step at work.
        """
        from kfp import local

        log = self.folder / "log.txt"
        self.folder.mkdir(parents=True, exist_ok=True)
        with log.open("w") as stream, self._warm_interpreter(), self._handler(stream), _quiet(stream):
            from kfp import components

            local.init(runner=self.runner(), pipeline_root=str(self.folder / "artifacts"))
            pipeline = components.load_component_from_file(str(spec))
            try:
                pipeline(**arguments)
            except BaseException as error:
                cut_off = self._end_unfinished(error)
                failed = next((step for step in self.steps if step.succeeded is False), None)
                if failed is None or (cut_off and not isinstance(error, SluiceError)):
                    raise  # the user's interrupt, or a defect of Sluice, with its traceback
                raise StepError(failed.error, where=f"step {failed.name}", remedy=f"full log: {log}") from error

    def _end_unfinished(self, error: BaseException) -> bool:
        """End the step that an error on this side cut off, and remove what it wrote; returns whether there is one."""
        step = self.steps[-1] if self.steps else None
        if step is None or step.succeeded is not None:
            return False
        step.wall, step.succeeded = time.perf_counter() - step.start, False
        step.error = str(error) if isinstance(error, Exception) else "interrupted"
        for path in step.outputs.values():
            for left in path.parent.glob(f"{path.name}*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        self.observer.ended(step)
        return True

    def runner(self) -> Any:
        """KFP's runner, whose handler `_handler` takes the place of."""
        from kfp import local

        return local.SubprocessRunner(use_venv=False)

    @contextlib.contextmanager
    def _warm_interpreter(self) -> Iterator[None]:
        """Start importing TensorFlow while the first light steps run; end the process with the run."""
        interpreter = environments.python("tensorflow")
        with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
            self._socket = f"{scratch}/warm"
            process = subprocess.Popen(
                [interpreter, warm.__file__, "serve", self._socket, *PRELOAD],
                stdin=subprocess.PIPE, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"},
                start_new_session=True,
            )  # fmt: skip
            self._warm = process
            try:
                yield
            except BaseException:
                _close_input(process)
                end_group(process)  # it may be in the middle of its imports
                raise
            if not Path(self._socket).exists():
                process.terminate()  # no step needed the imports that it is in the middle of
            _close_input(process)
            self.imports, _ = _reap(process)  # its forks are reaped by others, and count for their steps

    def interpreter(self, image: str) -> list[str]:
        """The command that stands for ``python3`` in a step of this image."""
        interpreter = environments.python(image)
        if interpreter == Path(sys.executable):
            return [str(interpreter)]
        while not Path(self._socket).exists():
            if self._warm is None or self._warm.poll() is not None:
                raise SluiceError(
                    "the component environment does not import TensorFlow",
                    where=str(interpreter),
                    remedy="remove .venv-components and run `make setup`",
                )
            time.sleep(0.02)
        return [str(interpreter), "-S", "-E", warm.__file__, "run", self._socket]

    @contextlib.contextmanager
    def _handler(self, log: IO[str]) -> Iterator[None]:
        from kfp.local import subprocess_task_handler as kfp_handler

        run, original = self, kfp_handler.SubprocessTaskHandler

        class StepHandler(original):  # type: ignore[misc,valid-type]
            def validate_image(self, image: str) -> None:
                environments.python(image)

            def run(self) -> Any:
                from kfp.local import status

                step = run.execute(self.image, self.full_command, self.env_vars, log)
                return status.Status.SUCCESS if step.succeeded else status.Status.FAILURE

        kfp_handler.SubprocessTaskHandler = StepHandler
        try:
            yield
        finally:
            kfp_handler.SubprocessTaskHandler = original

    def execute(self, image: str, command: list[str], env: dict[str, str], log: IO[str]) -> Step:
        """Run one step's command; its output goes to the log, its progress to the observer."""
        step, given = self.begin(command)
        with tempfile.NamedTemporaryFile() as usage:
            # Only the script is rewritten: a value or a path may well contain "python3".
            command = [*command[:2], command[2].replace("python3", shlex.join(self.interpreter(image))), *command[3:]]
            child = {**os.environ, **env, RUN_ID: self.id, "SLUICE_USAGE": usage.name}
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=child, start_new_session=True
            ) as process:
                try:
                    said = self.listen(step, process.stdout or (), log)
                    step.cpu, step.peak = _reap(process)
                except BaseException:
                    end_group(process)
                    raise
            if forked := json.loads(usage.read() or "{}"):
                step.cpu, step.peak = step.cpu + forked["cpu"], 1024 * forked["peak"]
        return self.end(step, given, process.returncode, said)

    def begin(self, command: list[str]) -> tuple[Step, dict[str, Any]]:
        """A step that starts, and its executor input."""
        given = json.loads(command[command.index("--executor_input") + 1])
        step = Step(
            command[command.index("--function_to_execute") + 1],
            {
                name: Path(item["artifacts"][0]["uri"])
                for name, item in given.get("outputs", {}).get("artifacts", {}).items()
            },
            inputs=given.get("inputs", {}).get("parameterValues", {}),
        )
        self.steps.append(step)
        self.observer.started(step)
        return step, given

    def end(self, step: Step, given: dict[str, Any], status: int, said: str) -> Step:
        """Put what became of a step into it, and tell the observer."""
        step.wall = time.perf_counter() - step.start
        step.succeeded = status == 0
        step.error = "" if step.succeeded else said
        with contextlib.suppress(OSError, ValueError):
            made = json.loads(Path(given["outputs"]["outputFile"]).read_text())
            step.values = made.get("parameterValues", {})
            step.metadata = {
                name: item["artifacts"][0].get("metadata", {}) for name, item in made.get("artifacts", {}).items()
            }
        self.observer.ended(step)
        return step

    def listen(self, step: Step, lines: Any, log: IO[str]) -> str:
        """Pass progress on, log everything, and return what a failing step said: its message, or its last lines."""
        from sluice.progress import MARK
        from sluice.stages.runtime import FAILURE_MARK

        tail: list[str] = []
        for line in lines:
            log.write(f"[{step.name}] {line}")
            if line.startswith(MARK):
                self.observer.said(step, line.removeprefix(MARK).rstrip())
            elif line.startswith(FAILURE_MARK):
                tail = [line.removeprefix(f"{FAILURE_MARK}{step.name}: ")]
            elif line.strip():
                tail = [*tail[-14:], line]
        log.flush()
        return "".join(tail).rstrip()


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()


def _reap(process: subprocess.Popen[Any]) -> tuple[float, int]:
    """Wait for a process; returns CPU seconds of it and its children, and the peak memory of the largest, in bytes."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


@contextlib.contextmanager
def _quiet(log: IO[str]) -> Iterator[None]:
    """KFP's own chatter goes to the log."""
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    root.handlers, root.level = [handler], logging.INFO
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(log):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers, root.level = handlers, level
