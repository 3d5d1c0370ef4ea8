"""A bare server: a fresh process that holds one SavedModel and answers one request a line.

It imports TensorFlow and nothing of ours, loads exactly the folder it is given, and speaks JSON lines on its standard
streams: ``{"inputs": {feature: [values]}}`` is answered by ``{"outputs": [...]}`` or ``{"error": "..."}``.
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

    model = tf.saved_model.load(folder)
    serve = model.signatures["serving_default"]
    kinds = {name: spec.dtype for name, spec in serve.structured_input_signature[1].items()}
    answers.write(json.dumps({"ready": tf.__version__}) + "\n")
    for line in sys.stdin:
        try:
            inputs = json.loads(line)["inputs"]
            if unknown := set(inputs) - set(kinds):
                raise ValueError(f"unknown inputs: {', '.join(sorted(unknown))}")
            made = serve(**{name: tf.constant(values, kinds[name]) for name, values in inputs.items()})
            (output,) = made.values()
            answer = {"outputs": output.numpy().tolist()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        answer["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
