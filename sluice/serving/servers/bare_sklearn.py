"""A bare server for the flavor ``sklearn``: as `bare_tensorflow`, with TensorFlow for the preprocessing and skops behind it.

It imports nothing of ours and no pickle: skops builds objects of types it knows, and of those named here.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a request is a few rows: threads would only wait for each other

VOUCHED = (
    "functools.partial",  # of a function that is vouched for itself
    "numpy.dtype",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
"""Parts of scikit-learn's own estimators that skops does not know by itself; they hold numbers, and run no code of the file's."""


def main(folder: Path) -> None:
    """Load the model, say so, and answer until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # whatever a library prints must not stand between the answers
    os.dup2(2, 1)
    import pandas as pd
    import sklearn
    import skops.io
    import tensorflow as tf

    known = set(skops.io.get_untrusted_types(file=folder / "estimator.skops")) & set(VOUCHED)
    estimator = skops.io.load(folder / "estimator.skops", trusted=sorted(known))
    plan: dict[str, Any] = json.loads((folder / "preprocessing" / "preprocessing.json").read_text())
    preprocessing = tf.saved_model.load(str(folder / "preprocessing"))
    signature = preprocessing.signatures["serving_default"]
    transform = getattr(preprocessing, "by_name", lambda features: signature(**features))  # older ones have no by_name
    kinds = {name: {"float": tf.float32, "string": tf.string}[kind] for name, kind in plan["raw"].items()}

    def serve(inputs: dict[str, Any]) -> Any:
        made = transform({name: tf.constant(values, kinds[name]) for name, values in inputs.items()})
        columns = {name: made[kind].numpy()[:, i] for kind in ("numbers", "ids") for i, name in enumerate(plan[kind])}
        if not hasattr(estimator, "classes_"):
            return estimator.predict(pd.DataFrame(columns))
        probabilities = estimator.predict_proba(pd.DataFrame(columns))
        return probabilities if probabilities.shape[1] > 2 else probabilities[:, 1]

    answers.write(json.dumps({"ready": sklearn.__version__}) + "\n")
    for line in sys.stdin:
        try:
            inputs = json.loads(line)["inputs"]
            if unknown := set(inputs) - set(kinds):
                raise ValueError(f"unknown inputs: {', '.join(sorted(unknown))}")
            answer = {"outputs": serve(inputs).tolist()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        answer["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
