"""TensorFlow Serving's ``tensorflow_model_server``, where it is on the PATH: REST, and gRPC's PredictionService."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.gates.service.policy import Protocol
from sluice.serving.servers.base import GoneError, Process, RefusedError, Running, free_port, wait_until_ready
from sluice.serving.servers.rest import MODEL, V1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.models.manifest import ModelManifest

BINARY = "tensorflow_model_server"


@contextmanager
def started(
    model: Path, manifest: ModelManifest, *, protocols: tuple[Protocol, ...], max_memory: float, max_load_seconds: float
) -> Iterator[Running]:
    """TensorFlow Serving with the model as version 1.

    Raises:
        SluiceError: the server is not on the PATH, or the model is no SavedModel.
    """
    binary = shutil.which(BINARY)
    if binary is None:
        raise SluiceError(f"the policy asks for TensorFlow Serving, and {BINARY} is not on the PATH", where="policies.service.server",
                          remedy="run the probe in an image that has it, or use server: kserve or server: process")  # fmt: skip
    if manifest.flavor != "tensorflow":
        raise SluiceError(f"TensorFlow Serving does not serve the flavor {manifest.flavor!r}", where="policies.service.server",
                          remedy="use server: process for this model")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "1").symlink_to(model.absolute())  # exactly what would be pushed, as its newest version
        rest, grpc = free_port(), free_port()
        process = Process([binary, f"--port={grpc}", f"--rest_api_port={rest}", f"--model_name={MODEL}", f"--model_base_path={folder}"],
                          max_memory)  # fmt: skip
        start = time.perf_counter()
        process.start()
        try:
            failure = wait_until_ready(process, f"http://127.0.0.1:{rest}/v1/models/{MODEL}", max_load_seconds)
            running = Running(_version(binary), process, load_seconds=time.perf_counter() - start, failure=failure)
            for protocol in protocols:
                running.clients[protocol] = (
                    V1(process, rest, missing=float("nan")) if protocol is Protocol.V1 else Predict(process, grpc)
                )
            yield running
        finally:
            process.stop()


def _version(binary: str) -> str:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    return (said.stdout.strip().splitlines() or ["TensorFlow Serving (version unknown)"])[0]


class Predict:
    """PredictionService.Predict; see `Client`."""

    def __init__(self, process: Process, port: int) -> None:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self._process = process
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def predict(self, rows: dict[str, list[Any]]) -> list[Any]:
        """See `Client.predict`."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = MODEL
        request.model_spec.signature_name = "serving_default"
        for name, values in rows.items():
            kind = tf.string if any(isinstance(value, str) for value in values) else tf.float32
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values, kind))
        try:
            (output,) = self._stub.Predict(request, timeout=60.0).outputs.values()
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise GoneError(self._process.gone() or error.details()) from None
            raise RefusedError(f"{error.code().name}: {error.details()}") from None
        made: list[Any] = tf.make_ndarray(output).tolist()
        return made

    def malformed(self, row: dict[str, list[Any]]) -> dict[str, bool]:
        """See `Client.malformed`."""
        first = next(iter(row))
        requests = {
            "a missing feature": {name: values for name, values in row.items() if name != first},
            "an unknown feature": {**row, "no_such_feature": [1.0]},
            "a wrong type": {**row, first: [1.0] if isinstance(row[first][0], str) else ["text"]},
        }
        made = {}
        for what, rows in requests.items():
            try:
                self.predict(rows)
            except RefusedError:
                made[what] = True
            except GoneError:
                made[what] = False
            else:
                made[what] = False
        return made
