"""A bare server: a fresh process that holds one SavedModel and answers one request a line.

It imports TensorFlow and nothing of Sluice, loads exactly the folder it is given, and feeds a session by the names of the
signature ``serving_default``, as TensorFlow Serving does. It speaks JSON lines on its standard streams:
``{"inputs": {feature: [values]}}`` is answered by ``{"outputs": [...]}`` or ``{"error": "..."}``.
"""

from __future__ import annotations

import json
import os
import resource
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(folder: str) -> None:
    """Load the model, say so, and answer until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # whatever a library prints must not stand between the answers
    os.dup2(2, 1)
    import tensorflow as tf

    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signature = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def["serving_default"]
    tensors, (output,) = dict(signature.inputs), signature.outputs.values()
    answers.write(json.dumps({"ready": tf.__version__}) + "\n")
    for line in sys.stdin:
        try:
            inputs = json.loads(line)["inputs"]
            if set(inputs) != set(tensors):
                raise ValueError(f"inputs expected: {', '.join(sorted(tensors))}")
            given = {name: tf.make_tensor_proto(values, tensors[name].dtype) for name, values in inputs.items()}
            made = session.run(
                output.name, {tensors[name].name: tf.make_ndarray(proto) for name, proto in given.items()}
            )
            answer = {"outputs": made.tolist()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        answer["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
