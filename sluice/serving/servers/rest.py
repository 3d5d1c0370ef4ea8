"""Clients of REST protocols: V1 (KServe's and TensorFlow Serving's ``:predict``) and V2 (the Open Inference Protocol)."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sluice.errors import shorten
from sluice.models.manifest import RawType
from sluice.serving.servers.base import GoneError, Process, RefusedError

if TYPE_CHECKING:
    from sluice.models.manifest import ModelManifest

MODEL = "model"
"""The name under which a server serves the export."""
DATATYPES = {RawType.FLOAT: "FP32", RawType.STRING: "BYTES"}


class Rest:
    """What V1 and V2 have in common."""

    def __init__(self, process: Process, port: int, path: str) -> None:
        import urllib3

        self._process, self._url = process, f"http://127.0.0.1:{port}/{path}"
        self._pool = urllib3.PoolManager(maxsize=256, timeout=60.0, retries=False)

    def post(self, body: bytes) -> Any:
        """The decoded answer to a body."""
        import urllib3

        try:
            answer = self._pool.request("POST", self._url, body=body, headers={"Content-Type": "application/json"})
        except urllib3.exceptions.HTTPError as error:
            raise GoneError(self._process.gone() or str(error)) from None
        if answer.status >= 400:
            raise RefusedError(f"{answer.status}: {shorten(answer.data.decode(errors='replace'), 200)}")
        return json.loads(answer.data)

    def refused(self, requests: dict[str, Any]) -> dict[str, bool]:
        """Which of these bodies are refused; a text that is no JSON is one more."""
        bodies = {what: json.dumps(request).encode() for what, request in requests.items()} | {"no JSON": b"{"}
        made = {}
        for what, body in bodies.items():
            try:
                self.post(body)
            except RefusedError:
                made[what] = True
            except GoneError:
                made[what] = False
            else:
                made[what] = False
        return made


class V1(Rest):
    """Rows as ``instances``; missing numbers as null, or as NaN where the server wants it. See `Client`."""

    def __init__(self, process: Process, port: int, *, missing: float | None) -> None:
        super().__init__(process, port, f"v1/models/{MODEL}:predict")
        self._missing = missing

    def predict(self, rows: dict[str, list[Any]]) -> list[Any]:
        """See `Client.predict`."""
        predictions: list[Any] = self.post(json.dumps({"instances": self._instances(rows)}).encode())["predictions"]
        return predictions

    def malformed(self, row: dict[str, list[Any]]) -> dict[str, bool]:
        """See `Client.malformed`."""
        (one,) = self._instances(row)
        first = next(iter(one))
        return self.refused({
            "a missing feature": {"instances": [{name: value for name, value in one.items() if name != first}]},
            "an unknown feature": {"instances": [{**one, "no_such_feature": 1.0}]},
            "an object for a value": {"instances": [{**one, first: {"a": 1}}]},
            "no instances": {"instances": "?"},
        })  # fmt: skip

    def _instances(self, rows: dict[str, list[Any]]) -> list[dict[str, Any]]:
        given = {
            name: [self._missing if _is_nan(value) else value for value in values] for name, values in rows.items()
        }
        return [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]


class V2(Rest):
    """Columns as tensors; missing numbers as null. See `Client`."""

    def __init__(self, process: Process, port: int, manifest: ModelManifest) -> None:
        super().__init__(process, port, f"v2/models/{MODEL}/infer")
        self._kinds = manifest.features

    def predict(self, rows: dict[str, list[Any]]) -> list[Any]:
        """See `Client.predict`."""
        (output,) = self.post(json.dumps({"inputs": self._tensors(rows)}).encode())["outputs"]
        return shaped(output["data"], output["shape"])

    def malformed(self, row: dict[str, list[Any]]) -> dict[str, bool]:
        """See `Client.malformed`."""
        tensors = self._tensors(row)
        return self.refused({
            "a missing feature": {"inputs": tensors[1:]},
            "an unknown feature": {"inputs": [*tensors, {"name": "no_such_feature", "shape": [1], "datatype": "FP32", "data": [1.0]}]},
            "a wrong shape": {"inputs": [{**tensors[0], "shape": [7]}, *tensors[1:]]},
            "no inputs": {"instances": "?"},
        })  # fmt: skip

    def _tensors(self, rows: dict[str, list[Any]]) -> list[dict[str, Any]]:
        return [
            {"name": name, "shape": [len(values)], "datatype": DATATYPES[self._kinds[name]],
             "data": [None if _is_nan(value) else value for value in values]}
            for name, values in rows.items()
        ]  # fmt: skip


def shaped(data: list[Any], shape: list[int]) -> list[Any]:
    """Flat data as rows."""
    if len(shape) < 2:
        return data
    width = math.prod(shape[1:])
    return [data[i : i + width] for i in range(0, len(data), width)]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
