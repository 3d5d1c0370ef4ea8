"""KServe's server around one SavedModel: V1 and V2 over REST, V2 over gRPC. Imports nothing of ours.

``kserve_server.py FOLDER NAME REST_PORT GRPC_PORT``
"""

from __future__ import annotations

import sys
from typing import Any

import kserve
import numpy as np
import tensorflow as tf
from kserve.errors import InvalidInput


class SavedModel(kserve.Model):  # type: ignore[misc]
    """A SavedModel whose ``serving_default`` takes one tensor of shape [batch] per feature, by the names of its signature."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(name)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], folder)
        signature = loaded.signature_def["serving_default"]
        self._tensors, (self._output,) = dict(signature.inputs), signature.outputs.values()
        self.ready = True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """Answer a V1 dictionary or a V2 request in kind."""
        if isinstance(payload, dict):
            return {"predictions": self._answer(_columns(payload)).tolist()}
        made = self._answer({given.name: _values(given) for given in payload.inputs})
        output = kserve.InferOutput(
            "prediction", list(made.shape), "FP32", data=made.astype(np.float32).flatten().tolist()
        )
        return kserve.InferResponse(payload.id or "1", self.name, [output])

    def _answer(self, columns: dict[str, Any]) -> np.ndarray:
        if set(columns) != set(self._tensors):
            raise InvalidInput(f"features expected: {', '.join(sorted(self._tensors))}")
        try:
            made = self._session.run(
                self._output.name,
                {
                    self._tensors[name].name: _array(values, self._tensors[name].dtype)
                    for name, values in columns.items()
                },
            )
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise InvalidInput(str(error).splitlines()[0]) from error
        return np.asarray(made)


def _columns(payload: dict[str, Any]) -> dict[str, list[Any]]:
    rows = payload.get("instances")
    if (
        not isinstance(rows, list)
        or not rows
        or not all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows)
    ):
        raise InvalidInput("instances: a list of objects with the same features is expected")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _values(given: Any) -> list[Any]:
    values = given.data if given.data is not None else given.as_numpy().tolist()
    if list(given.shape) != [len(values)]:
        raise InvalidInput(f"{given.name}: the shape [{len(values)}] is expected")
    return list(values)


def _array(values: list[Any], kind: Any) -> np.ndarray:
    """Values as a tensor of a kind, the missing ones filled; refuses values of another kind."""
    missing = b"" if kind == tf.string.as_datatype_enum else float("nan")
    return np.asarray(
        tf.make_ndarray(tf.make_tensor_proto([missing if value is None else value for value in values], kind))
    )


if __name__ == "__main__":
    folder, model_name, rest, grpc = sys.argv[1:]
    kserve.ModelServer(http_port=int(rest), grpc_port=int(grpc), enable_grpc=True, workers=1).start(
        [SavedModel(model_name, folder)]
    )
