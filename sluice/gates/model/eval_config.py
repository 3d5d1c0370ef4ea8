"""TFMA's `EvalConfig`, as JSON, in the words of our policy: what a TFX user brings is taken as it is.

A value threshold becomes `at_least` or `at_most`; a change threshold becomes `non_inferior_by` (TFMA lets a metric that
should rise change by no less than its bound) and, if it demands a rise, `superior_by`; slicing specs become slices. The
point estimate decides, as in TFMA; say ``uncertainty: bootstrap`` beside `eval_config` for intervals. TFMA's relative
change is that over the baseline's value, and so is ours.
"""

from __future__ import annotations

import re
from typing import Any

from sluice.gates.model.metrics import DIRECTION, Direction

NAMES = {
    "AUC": "auc", "AUCPrecisionRecall": "average_precision", "BinaryAccuracy": "accuracy", "Accuracy": "accuracy",
    "CategoricalAccuracy": "accuracy", "SparseCategoricalAccuracy": "accuracy", "Precision": "precision", "Recall": "recall",
    "F1Score": "f1", "BinaryCrossEntropy": "log_loss", "BinaryCrossentropy": "log_loss", "CategoricalCrossentropy": "log_loss",
    "SparseCategoricalCrossentropy": "log_loss", "Calibration": "calibration", "MeanSquaredError": "mse",
    "MeanAbsoluteError": "mae", "RootMeanSquaredError": "rmse", "NDCG": "ndcg", "CoefficientOfDiscrimination": "r2",
}  # fmt: skip
"""TFMA's class to our metric."""
IGNORED = ("ExampleCount", "WeightedExampleCount", "MeanLabel", "MeanPrediction")
"""Counts that hold nothing to be judged."""


def translate(config: Any) -> dict[str, Any]:
    """An `EvalConfig` in JSON (camel or snake case) to the keys of a `ModelPolicy`.

    Raises:
        ValueError: a threshold on a metric that we have no name for, or no threshold at all.
    """
    plain = _snake(config)
    metrics: list[str] = []
    rules: list[dict[str, Any]] = []
    for spec in plain.get("metrics_specs", []):
        for metric in spec.get("metrics", []):
            kind = metric["class_name"]
            name = NAMES.get(kind)
            limits = _limits(metric, spec.get("thresholds", {}))
            if name is None:
                if limits:
                    raise ValueError(f"no rule can be put on TFMA's {kind} here; known: {', '.join(sorted(NAMES))}")
                continue
            metrics.append(name)
            rules += [rule for limit in limits for rule in _rules(name, limit)]
    if not rules:
        raise ValueError(
            "the eval_config holds no threshold: it would let any model pass; give value or change thresholds"
        )
    slices = [spec["feature_keys"] for spec in plain.get("slicing_specs", []) if spec.get("feature_keys")]
    return {"metrics": list(dict.fromkeys(metrics)), "slices": slices, "rules": rules, "uncertainty": "point"}


def _limits(metric: dict[str, Any], by_name: dict[str, Any]) -> list[tuple[dict[str, Any], list[list[str]]]]:
    """Thresholds of a metric, each with the slices it holds for: its own, those per slice, and those by its name."""
    name = re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", metric["class_name"]).lower()
    found: list[tuple[dict[str, Any], list[list[str]]]] = [(metric["threshold"], [])] if "threshold" in metric else []
    found += [(by_name[name], [])] if name in by_name else []
    for piece in metric.get("per_slice_thresholds", []):
        groups = [spec["feature_keys"] for spec in piece.get("slicing_specs", []) if spec.get("feature_keys")]
        found.append((piece.get("threshold", {}), groups))
    return found


def _rules(name: str, limit: tuple[dict[str, Any], list[list[str]]]) -> list[dict[str, Any]]:
    threshold, slices = limit
    where = {"slices": slices} if slices else {}
    value, change = threshold.get("value_threshold", {}), threshold.get("change_threshold", {})
    rules = []
    if "lower_bound" in value and DIRECTION[name] is not Direction.DOWN:
        rules.append({"metric": name, "at_least": value["lower_bound"], **where})
    if "upper_bound" in value and DIRECTION[name] is not Direction.UP:
        rules.append({"metric": name, "at_most": value["upper_bound"], **where})
    for kind, relative in (("absolute", False), ("relative", True)):
        if kind in change:
            # TFMA: a rising metric passes where its change is at least the bound, a falling one where it is at most it.
            gain = change[kind] if change.get("direction") == "HIGHER_IS_BETTER" else -change[kind]
            demand = {"superior_by": gain} if gain > 0 else {"non_inferior_by": -gain}
            rules.append({"metric": name, **demand, "relative": relative, **where})
    return rules


def _snake(value: Any) -> Any:
    """JSON with its keys in snake case."""
    if isinstance(value, dict):
        return {
            re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower() if key[:1].islower() else key: _snake(item)
            for key, item in value.items()
        }
    return [_snake(item) for item in value] if isinstance(value, list) else value
