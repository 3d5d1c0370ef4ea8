"""A bare fresh process: no server, JSON lines over its standard streams."""

from __future__ import annotations

import json
import selectors
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.serving.servers.base import GoneError, Process, RefusedError, Running, script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.models.manifest import ModelManifest

SCRIPTS = {"tensorflow": "bare_tensorflow", "sklearn": "bare_sklearn"}
"""Flavor to the script that serves it."""
ANSWER = 60.0
"""Seconds that an answer may take before the process counts as dead."""


@contextmanager
def started(model: Path, manifest: ModelManifest, *, max_memory: float, max_load_seconds: float) -> Iterator[Running]:
    """A bare process that holds the model.

    Raises:
        SluiceError: no script serves the model's flavor.
    """
    name = SCRIPTS.get(manifest.flavor)
    if name is None:
        raise SluiceError(f"no server for the flavor {manifest.flavor!r}", where=str(model),
                          remedy=f"flavors that can be probed: {', '.join(SCRIPTS)}")  # fmt: skip
    process = Process([sys.executable, "-P", str(script(name)), str(model)], max_memory, {"TF_CPP_MIN_LOG_LEVEL": "3"})
    start = time.perf_counter()
    process.start(pipes=True)
    try:
        lines = Lines(process)
        version = lines.ready(max_load_seconds)
        yield Running(
            f"fresh process, {manifest.flavor} {version or '(not loaded)'}", process, {"": lines},
            time.perf_counter() - start, "" if version else process.gone(),
        )  # fmt: skip
    finally:
        process.stop()


class Lines:
    """A request a line, an answer a line; see `Client`."""

    def __init__(self, process: Process) -> None:
        self._process, self._lock = process, threading.Lock()

    def ready(self, seconds: float) -> str:
        """Wait for readiness; returns the serving library's version, or nothing."""
        try:
            return str(self._read(seconds).get("ready", ""))
        except GoneError:
            return ""

    def predict(self, rows: dict[str, list[Any]]) -> list[Any]:
        """See `Client.predict`."""
        return self._ask({"inputs": rows})

    def malformed(self, row: dict[str, list[Any]]) -> dict[str, bool]:
        """See `Client.malformed`."""
        first = next(iter(row))
        requests: dict[str, Any] = {
            "a missing feature": {"inputs": {name: values for name, values in row.items() if name != first}},
            "an unknown feature": {"inputs": {**row, "no_such_feature": [1.0]}},
            "a list for a value": {"inputs": {**row, first: [[[]]]}},
            "an object for a value": {"inputs": {**row, first: {"a": 1}}},
            "no inputs": {"instances": "?"},
        }
        return {what: self._refused(request) for what, request in requests.items()}

    def _refused(self, request: dict[str, Any]) -> bool:
        try:
            self._ask(request)
        except RefusedError:
            return True
        except GoneError:
            return False
        return False

    def _ask(self, request: dict[str, Any]) -> list[Any]:
        with self._lock:
            stream = self._process.popen.stdin
            if stream is None or self._process.failure:
                raise GoneError(self._process.failure)
            try:
                stream.write(json.dumps(request) + "\n")
                stream.flush()
            except BrokenPipeError:
                raise GoneError(self._last_words()) from None
            answer = self._read(ANSWER)
        if "error" in answer:
            raise RefusedError(answer["error"])
        outputs: list[Any] = answer["outputs"]
        return outputs

    def _read(self, seconds: float) -> dict[str, Any]:
        stream = self._process.popen.stdout
        if stream is None:
            raise GoneError("it has no standard output")
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(seconds):
                self._process.failure = f"no answer within {seconds:,.0f} s"
                raise GoneError(self._process.failure)
        line = stream.readline()
        if not line:
            raise GoneError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        self._process.peak = max(self._process.peak, answer.get("memory", 0))
        return answer

    def _last_words(self) -> str:
        self._process.popen.wait()
        return self._process.gone()
