"""Probe: start a fresh process on exactly what would be pushed, ask it as a client would, and judge the answers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.service.evidence import ServiceEvidence
from sluice.gates.service.judge import judge
from sluice.models.manifest import ModelManifest, RawType
from sluice.progress import progress

if TYPE_CHECKING:
    from sluice.gates.service.policy import ServicePolicy
    from sluice.gates.verdict import Verdict

GOLDEN_FILE, PREDICTION = "golden.parquet", "prediction"
SERVERS = {
    "tensorflow": Path(__file__).with_name("server.py"),
    "sklearn": Path(__file__).with_name("sklearn_server.py"),
}


def probe(*, model: Path, golden: Path, policy: ServicePolicy) -> Verdict:
    """Judge an export by its answers.

    Args:
        model: folder of the model artifact.
        golden: folder of ``golden.parquet``: raw rows and the trainer's own predictions.
        policy: the rules.
    """
    manifest = ModelManifest.load(model)
    if manifest.flavor not in SERVERS:
        raise SluiceError(f"no server for the flavor {manifest.flavor!r}", where=str(model),
                          remedy=f"flavors that can be probed: {', '.join(SERVERS)}")  # fmt: skip
    subjects = {"model": digest.of_tree(model), "golden": digest.of_tree(golden)}
    evidence = _ask(model, manifest, golden, policy)
    if digest.of_tree(model) != subjects["model"]:
        raise SluiceError("the model changed while it was probed", where=str(model), remedy="run the probe again")
    return judge(evidence, policy, subjects=subjects)


def _ask(model: Path, manifest: ModelManifest, golden: Path, policy: ServicePolicy) -> ServiceEvidence:
    rows, expected = _golden(golden, manifest)
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    progress("starting a fresh process on the export")
    with _Server(SERVERS[manifest.flavor], model, policy.max_load_seconds) as server:
        name = f"fresh process, {manifest.flavor} {server.version or '(not loaded)'}"
        if not server.version:
            return ServiceEvidence(server=name, loaded=False, failure=server.failure, size=size)
        progress(f"asking {len(expected)} golden requests")
        answer = server.ask({"inputs": rows})
        outputs = answer.get("outputs", [])
        malformed = {what: "error" in server.ask(request) for what, request in _malformed(rows).items()}
        latencies = []
        for index in range(policy.requests):
            row = index % len(expected)
            start = time.perf_counter()
            server.ask({"inputs": {name: [values[row]] for name, values in rows.items()}})
            latencies.append(1000 * (time.perf_counter() - start))
        lives = server.ask({"inputs": {name: values[:1] for name, values in rows.items()}})
        return ServiceEvidence(
            server=name, loaded="outputs" in lives, failure=server.failure or lives.get("error", ""), size=size,
            load_seconds=server.load_seconds, answered=len(outputs), asked=len(expected),
            difference=_difference(outputs, expected), latencies=tuple(latencies), memory=server.memory, malformed=malformed,
        )  # fmt: skip


def _golden(folder: Path, manifest: ModelManifest) -> tuple[dict[str, list[Any]], list[Any]]:
    """The golden rows as the signature takes them, by feature, and the predictions expected."""
    import pyarrow.parquet as pq

    from sluice.features.raw import arrays

    table = pq.read_table(folder / GOLDEN_FILE)
    raw = arrays(table, manifest.features)
    rows: dict[str, list[Any]] = {
        name: [value.decode() for value in column] if manifest.features[name] is RawType.STRING else column.tolist()
        for name, column in raw.items()
    }
    return rows, table.column(PREDICTION).to_pylist()


def _malformed(rows: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """Requests that a server must refuse and survive."""
    one = {name: values[:1] for name, values in rows.items()}
    first = next(iter(one))
    return {
        "a missing feature": {"inputs": {name: values for name, values in one.items() if name != first}},
        "an unknown feature": {"inputs": {**one, "no_such_feature": [1.0]}},
        "a list for a value": {"inputs": {**one, first: [[[]]]}},
        "an object for a value": {"inputs": {**one, first: {"a": 1}}},
        "no inputs": {"instances": "?"},
    }


def _difference(outputs: list[Any], expected: list[Any]) -> float | None:
    """Largest absolute difference; infinity where a shape differs or an answer is not a number."""
    if len(outputs) != len(expected) or not outputs:
        return None
    largest = 0.0
    for output, wanted in zip(outputs, expected, strict=True):
        left, right = (value if isinstance(value, list) else [value] for value in (output, wanted))
        if len(left) != len(right):
            return math.inf
        gaps = [abs(a - b) for a, b in zip(left, right, strict=True)]
        if any(math.isnan(gap) for gap in gaps):
            return math.inf
        largest = max(largest, *gaps)
    return largest


@dataclass
class _Server:
    """A fresh serving process.

    Attributes:
        script: the server's script.
        model: the folder it loads, and nothing else.
        timeout: seconds to wait for readiness.
        version: the serving library's version; empty where the model did not load.
        failure: what the process said if it died.
        load_seconds: until readiness.
        memory: peak resident memory so far, in bytes.
    """

    script: Path
    model: Path
    timeout: float
    version: str = ""
    failure: str = ""
    load_seconds: float = 0.0
    memory: int = 0

    def __enter__(self) -> _Server:
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, self.script, self.model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.version = str(self._read(self.timeout).get("ready", ""))
        self.load_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream:
                stream.close()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request; returns the answer, or nothing where the process has died."""
        if self._process.stdin is None or self.failure:
            return {}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.failure = self._last_words()
            return {}
        return self._read(60.0)

    def _read(self, timeout: float) -> dict[str, Any]:
        import selectors

        if self._process.stdout is None:
            return {}
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                self.failure = f"no answer within {timeout:.0f} s"
                return {}
        line = self._process.stdout.readline()
        if not line:
            self.failure = self._last_words()
            return {}
        answer: dict[str, Any] = json.loads(line)
        self.memory = max(self.memory, answer.get("memory", 0))
        return answer

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"
