"""The schema of KServe's InferenceService (v1beta1), from the models that KServe ships, which are made of its definition.

``.venv-kserve/bin/python -m tests.fakes.inferenceservice > tests/fakes/inferenceservice.json``. What a Pod has besides is
Kubernetes' own and stands as any object; the status is the controller's.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from typing import Any

KINDS = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}


def schema(models: Any) -> dict[str, Any]:
    """JSON Schema, a definition a model of the module.

    Args:
        models: ``kserve.models``.
    """
    definitions: dict[str, Any] = {}

    def of(kind: str) -> dict[str, Any]:
        if kind in KINDS:
            return {"type": KINDS[kind]}
        if inner := re.fullmatch(r"list\[(.*)\]", kind):
            return {"type": "array", "items": of(inner[1])}
        if inner := re.fullmatch(r"dict\(\w+, (.*)\)", kind):
            return {"type": "object", "additionalProperties": of(inner[1])}
        model = getattr(models, kind, None)
        if model is None or kind.endswith("Status"):
            return {}
        if kind not in definitions:
            definitions[kind] = {}
            names = model.attribute_map
            definitions[kind] |= {
                "type": "object", "additionalProperties": False,
                "properties": {names[name]: of(inner) for name, inner in sorted(model.openapi_types.items())},
                "required": [names[name] for name in sorted(names) if _required(model, name)],
            }  # fmt: skip
        return {"$ref": f"#/$defs/{kind}"}

    return {**of("V1beta1InferenceService"), "$defs": definitions}


def _required(model: Any, name: str) -> bool:
    """Whether the model refuses to be without an attribute."""
    return "must not be `None`" in inspect.getsource(getattr(model, name).fset)


if __name__ == "__main__":
    import kserve.models

    json.dump(schema(kserve.models), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
