"""Probe: start a fresh server on exactly what would be pushed, ask it as a client would, and judge the answers."""

from __future__ import annotations

import itertools
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.service.evidence import ServiceEvidence, Soak, Talk
from sluice.gates.service.judge import judge
from sluice.gates.service.policy import Server
from sluice.models.manifest import ModelManifest, RawType
from sluice.progress import progress
from sluice.serving import warmup
from sluice.serving.servers import kserve, process, tensorflow_serving
from sluice.serving.servers.base import MIB, GoneError, RefusedError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sluice.gates.service.policy import ServicePolicy
    from sluice.gates.verdict import Verdict
    from sluice.serving.servers.base import Client, Running

GOLDEN_FILE = "golden.parquet"
IMAGE = "SLUICE_IMAGE"
"""Environment variable that names the image a step runs in; every compiled step has it."""
Rows = dict[str, list[Any]]


def probe(*, model: Path, golden: Path, policy: ServicePolicy) -> Verdict:
    """Judge an export by its answers.

    Args:
        model: folder of the model artifact.
        golden: folder of ``golden.parquet``: raw rows, and as the last column the trainer's own predictions.
        policy: the rules.

    Raises:
        SluiceError: the server that the policy asks for is not here, or the model changed meanwhile.
    """
    manifest = ModelManifest.load(model)
    subjects = {"model": digest.of_tree(model), "golden": digest.of_tree(golden)}
    rows, expected = _golden(golden, manifest)
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    progress(f"starting a fresh server on the export ({policy.server})")
    with _server(model, manifest, policy) as server:
        evidence = _asked(server, model, rows, expected, policy, size)
    if digest.of_tree(model) != subjects["model"]:
        raise SluiceError("the model changed while it was probed", where=str(model), remedy="run the probe again")
    return judge(evidence, policy, subjects=subjects)


def _server(model: Path, manifest: ModelManifest, policy: ServicePolicy) -> AbstractContextManager[Running]:
    limits = {"max_memory": policy.max_memory_mb * MIB, "max_load_seconds": policy.max_load_seconds}
    if policy.server is Server.PROCESS:
        return process.started(model, manifest, **limits)
    kind = kserve if policy.server is Server.KSERVE else tensorflow_serving
    return kind.started(model, manifest, protocols=policy.asked, **limits)


def _asked(
    server: Running, model: Path, rows: Rows, expected: list[Any], policy: ServicePolicy, size: int
) -> ServiceEvidence:
    """Everything that is asked of a server, and whether it lived to the end."""
    seen: dict[str, Any] = {}
    failure = server.failure
    if not failure:
        try:
            seen["talks"] = tuple(
                _talk(protocol, client, rows, expected, policy) for protocol, client in server.clients.items()
            )
            client = next(iter(server.clients.values()))
            seen["warmup"] = _warmed(client, model)
            if policy.min_throughput:
                seen["throughput"] = _throughput(client, rows, policy)
            if policy.soak_seconds:
                seen["soak"] = _soak(server, client, rows, policy)
            client.predict(_row(rows, 0))
        except (GoneError, RefusedError) as error:
            failure = str(error) or "it is gone"
    return ServiceEvidence(
        server=server.name, image=os.environ.get(IMAGE, ""), loaded=not failure, failure=failure, size=size,
        load_seconds=server.load_seconds, memory=server.process.peak, **seen,
    )  # fmt: skip


def _talk(protocol: str, client: Client, rows: Rows, expected: list[Any], policy: ServicePolicy) -> Talk:
    """Golden requests, malformed ones, and single rows for the latency."""
    progress(f"asking {len(expected)} golden requests{f' over {protocol}' if protocol else ''}")
    try:
        outputs = client.predict(rows)
    except RefusedError:
        outputs = []
    malformed = dict(client.malformed(_row(rows, 0)))
    latencies = []
    for index in range(policy.requests):
        row = _row(rows, index % len(expected))
        start = time.perf_counter()
        try:
            client.predict(row)
        except RefusedError:
            continue  # told by the golden requests
        latencies.append(1000 * (time.perf_counter() - start))
    return Talk(protocol, len(expected), len(outputs), _difference(outputs, expected), tuple(latencies), malformed)


def _warmed(client: Client, model: Path) -> tuple[int, int] | None:
    """How many of the artifact's warm-up requests are answered, and how many there are."""
    requests = warmup.requests(model)
    answered = 0
    for rows in requests or ():
        try:
            client.predict(rows)
        except RefusedError:
            continue
        answered += 1
    return None if requests is None else (answered, len(requests))


def _throughput(client: Client, rows: Rows, policy: ServicePolicy) -> float:
    """Requests answered per second by several clients at once."""
    progress(f"{policy.clients} clients at once")
    count = len(next(iter(rows.values())))
    start = time.perf_counter()
    with ThreadPoolExecutor(policy.clients) as pool:
        answered = sum(
            pool.map(lambda number: bool(client.predict(_row(rows, number % count))), range(policy.requests))
        )
    return answered / (time.perf_counter() - start)


def _soak(server: Running, client: Client, rows: Rows, policy: ServicePolicy) -> Soak:
    """A steady rate of single rows; a request that is late is sent at once, so that the rate is kept."""
    progress(f"{policy.soak_rate:g} requests a second for {policy.soak_seconds:g} s")
    count = len(next(iter(rows.values())))
    before, start = server.process.resident, time.perf_counter()
    asked, failed, latencies = 0, 0, []
    for number in itertools.count():
        due = start + number / policy.soak_rate
        if due >= start + policy.soak_seconds:
            break
        time.sleep(max(0.0, due - time.perf_counter()))
        asked += 1
        try:
            client.predict(_row(rows, number % count))
        except RefusedError:
            failed += 1
            continue
        latencies.append(1000 * (time.perf_counter() - due))  # a request that had to wait was slow to its client
    return Soak(time.perf_counter() - start, asked, failed, tuple(latencies), server.process.resident - before)


def _row(rows: Rows, index: int) -> Rows:
    return {name: values[index : index + 1] for name, values in rows.items()}


def _golden(folder: Path, manifest: ModelManifest) -> tuple[Rows, list[Any]]:
    """The golden rows as the signature takes them, by feature, and the predictions expected."""
    import pyarrow.parquet as pq

    from sluice.features.raw import arrays

    table = pq.read_table(folder / GOLDEN_FILE)
    raw = arrays(table.select(table.column_names[:-1]), manifest.features)
    rows: Rows = {
        name: [value.decode() for value in column] if manifest.features[name] is RawType.STRING else column.tolist()
        for name, column in raw.items()
    }
    return rows, table.column(table.num_columns - 1).to_pylist()


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
