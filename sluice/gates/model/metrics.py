"""The metrics that rules may name, and which way is good."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

MetricName = Literal[
    "auc", "average_precision", "accuracy", "f1", "precision", "recall", "log_loss", "brier", "calibration_error",
    "calibration", "cost", "balanced_accuracy", "macro_f1", "mae", "mse", "rmse", "r2", "ndcg",
]  # fmt: skip


class Direction(StrEnum):
    """Which way a metric is good; ``MIDDLE``: neither, it has a value it should be near."""

    UP = "up"
    DOWN = "down"
    MIDDLE = "middle"


DIRECTION: dict[str, Direction] = {
    **dict.fromkeys(("auc", "average_precision", "accuracy", "f1", "precision", "recall"), Direction.UP),
    **dict.fromkeys(("balanced_accuracy", "macro_f1", "r2", "ndcg"), Direction.UP),
    **dict.fromkeys(("log_loss", "brier", "calibration_error", "cost", "mae", "mse", "rmse"), Direction.DOWN),
    "calibration": Direction.MIDDLE,
}
TASKS: dict[str, tuple[str, ...]] = {
    "binary": (
        "auc", "average_precision", "accuracy", "f1", "precision", "recall", "log_loss", "brier", "calibration_error",
        "calibration", "cost",
    ),
    "multiclass": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier"),
    "regression": ("mae", "mse", "rmse", "r2", "calibration"),
    "ranking": ("ndcg",),
}  # fmt: skip
FLOOR = {"binary": "log_loss", "multiclass": "log_loss", "regression": "mse", "ranking": "ndcg"}
"""The score in which the trivial predictor is to be beaten."""
MET_BY_CONSTANTS = ("calibration_error", "calibration", "recall")
"""Metrics in which a constant can be perfect, so that its meeting a bound does not make the bound mean nothing."""
