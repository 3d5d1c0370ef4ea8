"""The warm-up requests that an export carries, as a client would send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def requests(model: Path) -> list[dict[str, list[Any]]] | None:
    """Rows by feature, a request each; None where the artifact has no warm-up requests.

    A record that cannot be read becomes a request without features, which no model answers.
    """
    file = model / WARMUP_FILE
    if not file.exists():
        return None
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    found: list[dict[str, list[Any]]] = []
    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            inputs = log.predict_log.request.inputs
            found.append({name: _values(tf.make_ndarray(tensor)) for name, tensor in inputs.items()})
    except (tf.errors.DataLossError, DecodeError):
        found.append({})
    return found


def _values(array: Any) -> list[Any]:
    return [value.decode() if isinstance(value, bytes) else value for value in array.tolist()]
