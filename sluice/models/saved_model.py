"""SavedModels whose signature takes raw columns by their own names, whatever characters these hold.

TensorFlow takes only identifiers as the names of a signature's arguments, and not all of them (``class``, ``self``). So a
graph is traced with names that TensorFlow takes, and the keys of the ``SignatureDef`` are set to the raw names in the file:
they may be any text, and TensorFlow Serving, KServe and Vertex AI look a request's inputs up by them. In Python,
``model.by_name({"sepal length (cm)": tensor})`` takes all features as one dict.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

from sluice.models.manifest import RawType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

SIGNATURE = "serving_default"
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""Names that TensorFlow takes as they are, but for Python's keywords and ``self``."""


def tensor_specs(raw: Mapping[str, RawType]) -> dict[str, Any]:
    """Tensor specs of raw features, each of shape [batch], under argument names that TensorFlow takes."""
    import tensorflow as tf

    kinds, arguments = {RawType.FLOAT: tf.float32, RawType.STRING: tf.string}, argument_names(raw)
    return {name: tf.TensorSpec([None], kinds[kind], arguments[name]) for name, kind in raw.items()}


def argument_names(names: Iterable[str]) -> dict[str, str]:
    """Raw name to its argument name in TensorFlow: the name itself where TensorFlow takes it, else ``input_<position>``.

    Example:
        >>> argument_names(["age", "sepal length (cm)"])
        {"age": "age", "sepal length (cm)": "input_1"}
    """
    names = list(names)
    made = {name: name for name in names if PLAIN.fullmatch(name) and not keyword.iskeyword(name) and name != "self"}
    for position, name in enumerate(names):
        if name not in made:
            argument = f"input_{position}"
            while argument in made:  # a column may be called so; values are keys or made here
                argument += "_"
            made[name] = argument
    return made


def save(module: Any, folder: Path, by_name: Any, raw: Mapping[str, RawType]) -> None:
    """Write a SavedModel with ``by_name`` as its function, and as its signature ``serving_default``.

    Args:
        module: a `tf.Module` that holds what the function needs.
        folder: where to.
        by_name: a `tf.function` of one dict of raw features, traced with `tensor_specs`.
        raw: the raw features and their types.
    """
    import tensorflow as tf

    module.by_name = by_name
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: by_name})
    renamed = {argument: name for name, argument in argument_names(raw).items() if argument != name}
    if renamed:
        _rename_inputs(folder, renamed)


def _rename_inputs(folder: Path, renamed: Mapping[str, str]) -> None:
    """Set the keys of the signature's inputs to the raw names, in ``saved_model.pb``."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in content.meta_graphs:
        inputs = graph.signature_def[SIGNATURE].inputs
        tensors = {key: inputs[key].SerializeToString(deterministic=True) for key in inputs}
        inputs.clear()
        for key, tensor in tensors.items():
            inputs[renamed.get(key, key)].MergeFromString(tensor)
    file.write_bytes(content.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # it is optional, and would be that of other bytes


def by_name(model: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The function of a loaded SavedModel from a dict of raw features to its outputs.

    Models of releases that knew only identifiers as names have the signature alone.
    """
    if hasattr(model, "by_name"):
        function: Callable[[Mapping[str, Any]], dict[str, Any]] = model.by_name
        return function
    signature = model.signatures[SIGNATURE]
    return lambda features: dict(signature(**features))
