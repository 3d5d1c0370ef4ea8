"""The metrics that rules may name, and which way is good."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

MetricName = Literal[
    "auc", "accuracy", "log_loss", "brier", "precision", "recall", "calibration_error", "mae", "mse", "rmse", "r2"
]


class Direction(StrEnum):
    """Which way a metric is good."""

    UP = "up"
    DOWN = "down"


DIRECTION: dict[str, Direction] = {
    "auc": Direction.UP, "accuracy": Direction.UP, "precision": Direction.UP, "recall": Direction.UP, "r2": Direction.UP,
    "log_loss": Direction.DOWN, "brier": Direction.DOWN, "calibration_error": Direction.DOWN, "mae": Direction.DOWN,
    "mse": Direction.DOWN, "rmse": Direction.DOWN,
}  # fmt: skip
TASKS: dict[str, tuple[str, ...]] = {
    "binary": ("auc", "accuracy", "log_loss", "brier", "precision", "recall", "calibration_error"),
    "multiclass": ("accuracy", "log_loss", "brier"),
    "regression": ("mae", "mse", "rmse", "r2"),
}
FLOOR = {"binary": "log_loss", "multiclass": "log_loss", "regression": "mse"}
"""The proper score in which the trivial predictor is to be beaten."""
