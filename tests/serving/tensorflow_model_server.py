"""A stand-in for TensorFlow Serving, which no registry has: its own servicer classes around the real SavedModel."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class Model:
    """The newest version of a folder."""

    def __init__(self, folder: Path) -> None:
        newest = max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
        self._session = tf.compat.v1.Session(graph=tf.Graph())  # as the real one: by the SignatureDef
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(newest))
        signature = loaded.signature_def["serving_default"]
        self.inputs, (self._output,) = dict(signature.inputs), signature.outputs.values()

    def __call__(self, columns: dict[str, Any]) -> Any:
        if set(columns) != set(self.inputs):
            raise ValueError(f"input size does not match signature: {sorted(columns)}")
        given = {name: tf.make_tensor_proto(values, self.inputs[name].dtype) for name, values in columns.items()}
        return self._session.run(
            self._output.name, {self.inputs[name].name: tf.make_ndarray(proto) for name, proto in given.items()}
        )


class Predict(prediction_service_pb2_grpc.PredictionServiceServicer):
    """gRPC."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's own name
        try:
            output = self.model({name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()})
        except (ValueError, TypeError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error).splitlines()[0])
        return predict_pb2.PredictResponse(outputs={"prediction": tf.make_tensor_proto(output)})


def rest(model: Model, name: str) -> type[BaseHTTPRequestHandler]:
    """The REST API's :predict, by rows."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _send(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._send(200 if self.path == f"/v1/models/{name}" else 404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                rows = json.loads(body)["instances"]
                output = model({key: [row[key] for row in rows] for key in rows[0]})
            except Exception as error:
                self._send(400, {"error": str(error)})
                return
            self._send(200, {"predictions": output.tolist()})

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--port", "--rest_api_port", "--model_name", "--model_base_path"):
        parser.add_argument(option)
    parser.add_argument("--version", action="store_true")
    given = parser.parse_args()
    if given.version:
        print("TensorFlow ModelServer: stand-in")
        raise SystemExit
    loaded = Model(Path(given.model_base_path))
    server = grpc.server(ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predict(loaded), server)
    server.add_insecure_port(f"127.0.0.1:{given.port}")
    server.start()
    ThreadingHTTPServer(("127.0.0.1", int(given.rest_api_port)), rest(loaded, given.model_name)).serve_forever()
