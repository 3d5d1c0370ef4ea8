"""Measure what the probe costs beyond loading the export and asking it: `python -m tests.bench.probe`."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pyarrow as pa

from sluice.features.spec import Features
from sluice.gates.service.evidence import ServiceEvidence
from sluice.gates.service.policy import Server, ServicePolicy
from sluice.serving import probe as module
from sluice.serving.servers import kserve
from sluice.serving.servers.base import Running
from sluice.training.spec import Label, Trainer
from tests import made


def main() -> None:
    """Probe a small export, and tell where the time goes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        columns = {"x": [float(i % 17) for i in range(4000)], "c": [("a", "b")[i % 2] for i in range(4000)],
                   "label": [i % 17 > 8 for i in range(4000)]}  # fmt: skip
        examples = made.examples(folder / "examples", pa.table(columns))
        made.trained(
            folder, examples, Features(numeric=["x"], categorical=["c"]), Label(column="label"), Trainer(steps=20)
        )
        for server in Server:
            if server is Server.PROCESS or (server is Server.KSERVE and kserve.interpreter_path().exists()):
                measure(folder, server)


def measure(folder: Path, server: Server) -> None:
    """Probe with a server, and print where the time went."""
    seen, asked = {}, module._asked

    def timed(running: Running, *rest: Any) -> ServiceEvidence:
        start = time.perf_counter()
        evidence = asked(running, *rest)
        seen["asking"], seen["load"] = time.perf_counter() - start, running.load_seconds
        return evidence

    module._asked = timed
    try:
        start = time.perf_counter()
        verdict = module.probe(model=folder / "model", golden=folder / "golden", policy=ServicePolicy(server=server))
        whole = time.perf_counter() - start
    finally:
        module._asked = asked
    print(f"{server}: {verdict.status}: {whole:.2f} s, of which loading {seen['load']:.2f}, asking {seen['asking']:.2f}, "
          f"all else {whole - seen['load'] - seen['asking']:.2f}")  # fmt: skip


if __name__ == "__main__":
    with open(os.devnull, "w") as nothing, redirect_stderr(nothing):  # noqa: PTH123
        main()
