"""Warm-up requests: TensorFlow Serving answers them while it loads a model, so that no client waits for the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
REQUESTS = 5


def write(model: Path, name: str, raw: dict[str, np.ndarray]) -> None:
    """Write a few rows as a TFRecord of PredictionLog: each alone, and all in one request.

    Args:
        model: folder of a SavedModel.
        name: what the requests call the model.
        raw: rows as the serving signature takes them.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    def log(columns: dict[str, Any]) -> bytes:
        spec = model_pb2.ModelSpec(name=name, signature_name="serving_default")
        inputs = {column: tf.make_tensor_proto(values) for column, values in columns.items()}
        request = predict_pb2.PredictRequest(model_spec=spec, inputs=inputs)
        made = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
        return bytes(made.SerializeToString(deterministic=True))

    file = model / WARMUP_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = min(REQUESTS, len(next(iter(raw.values()))))
    with tf.io.TFRecordWriter(str(file)) as writer:
        for row in range(rows):
            writer.write(log({column: values[row : row + 1] for column, values in raw.items()}))
        writer.write(log({column: values[:rows] for column, values in raw.items()}))
