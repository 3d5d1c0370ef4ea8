"""KServe's Python server, from an environment of its own: V1 and V2 over REST, V2 over gRPC.

The environment has kserve and TensorFlow, and nothing of ours (`build/environments kserve` makes it). It is found by
``SLUICE_KSERVE_PYTHON``, which names its interpreter, or in a checkout's ``.venv-kserve``.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError
from sluice.gates.service.policy import Protocol
from sluice.serving.servers.base import Process, Running, free_port, script, wait_until_ready
from sluice.serving.servers.process import Lines
from sluice.serving.servers.rest import MODEL, V1, V2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.models.manifest import ModelManifest

VARIABLE = "SLUICE_KSERVE_PYTHON"


def interpreter_path() -> Path:
    """Where the interpreter of KServe's environment is looked for."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path(__file__).parents[3] / ".venv-kserve" / "bin" / "python"


def interpreter() -> Path:
    """The interpreter of KServe's environment.

    Raises:
        SluiceError: there is none.
    """
    path = interpreter_path()
    if not path.exists():
        raise SluiceError("the policy asks for a kserve server, and its environment is not here", where=str(path),
                          remedy=f"run `build/environments kserve` in a checkout, or name its interpreter in {VARIABLE}")  # fmt: skip
    return path


@contextmanager
def started(
    model: Path, manifest: ModelManifest, *, protocols: tuple[Protocol, ...], max_memory: float, max_load_seconds: float
) -> Iterator[Running]:
    """KServe's server with the model.

    Raises:
        SluiceError: the environment is not here, or the model is no SavedModel.
    """
    if manifest.flavor != "tensorflow":
        raise SluiceError(f"KServe is asked to serve the flavor {manifest.flavor!r}, and serves SavedModels here",
                          where="policies.service.server", remedy="use server: process for this model")  # fmt: skip
    python, rest, grpc = interpreter(), free_port(), free_port()
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    process = Process(
        [str(python), "-P", str(script("kserve_server")), str(model), MODEL, str(rest), str(grpc)], max_memory, quiet
    )
    with ExitStack() as stack:
        start = time.perf_counter()
        process.start()
        stack.callback(process.stop)
        failure = wait_until_ready(process, f"http://127.0.0.1:{rest}/v2/models/{MODEL}/ready", max_load_seconds)
        running = Running(
            f"kserve {_version(python)}", process, load_seconds=time.perf_counter() - start, failure=failure
        )
        for protocol in protocols if not failure else ():
            if protocol is Protocol.V1:
                running.clients[protocol] = V1(process, rest, missing=None)
            elif protocol is Protocol.V2:
                running.clients[protocol] = V2(process, rest, manifest)
            else:
                kinds = json.dumps({name: str(kind) for name, kind in manifest.features.items()})
                client = Process(
                    [str(python), "-P", str(script("kserve_client")), f"127.0.0.1:{grpc}", MODEL, kinds],
                    max_memory,
                    quiet,
                )
                client.start(pipes=True)
                stack.callback(client.stop)
                lines = Lines(client)
                if not lines.ready(60.0):
                    running.failure = f"the gRPC client did not start: {client.gone()}"
                running.clients[protocol] = lines
        yield running


def _version(python: Path) -> str:
    said = subprocess.run([python, "-c", "import importlib.metadata as m; print(m.version('kserve'))"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    return said.stdout.strip()
