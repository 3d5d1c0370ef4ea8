"""A client of V2 over gRPC, by KServe's own library: JSON lines in, JSON lines out, as `bare_tensorflow` speaks them.

``kserve_client.py HOST:PORT NAME KINDS``, where KINDS is JSON: feature to ``float`` or ``string``.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import sys
from typing import Any

import kserve
import numpy as np

DATATYPES = {"float": ("FP32", np.float32), "string": ("BYTES", np.object_)}


def tensors(inputs: dict[str, list[Any]], kinds: dict[str, str]) -> list[Any]:
    """Columns as tensors; an unknown feature is sent as a number, as a client would that knows no better."""
    made = []
    for name, values in inputs.items():
        datatype, kind = DATATYPES[kinds.get(name, "float")]
        column: np.ndarray = np.array([value.encode() for value in values] if datatype == "BYTES" else values, kind)
        given = kserve.InferInput(name, list(column.shape), datatype)
        given.set_data_from_numpy(column, binary_data=False)
        made.append(given)
    return made


async def main(url: str, name: str, kinds: dict[str, str]) -> None:
    """Answer until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    client = kserve.InferenceGRPCClient(url, retries=0)
    answers.write(json.dumps({"ready": importlib.metadata.version("kserve")}) + "\n")
    for line in sys.stdin:
        try:
            request = kserve.InferRequest(name, tensors(json.loads(line)["inputs"], kinds))
            (output,) = (await client.infer(request)).outputs
            answer: dict[str, Any] = {"outputs": output.as_numpy().tolist()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
