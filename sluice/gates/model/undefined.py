"""Why a metric has no value on some rows, and which rows would give it one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.gates.model.evidence import SliceEvidence

CERTAINTY = 0.95
"""With which the rows wanted hold one of the label that is missing."""
ONE_CLASS = ("auc", "average_precision", "recall", "f1", "calibration")
CAUSES = {
    "precision": "no row is answered with the positive class",
    "ndcg": "no query has a relevant row",
    "r2": "the label has one value",
}


def undefined(metric: str, held: SliceEvidence, every: SliceEvidence) -> str:
    """That a metric has no value on these rows, why, and how many more are wanted.

    Args:
        metric: the metric.
        held: the rows it has no value on.
        every: all evaluated rows; the share of the missing label among them says how many rows hold one.
    """
    cause = CAUSES.get(metric, "it is not defined there")
    labels = [label for label, rows in held.labels.items() if rows]
    missing = [label for label, rows in every.labels.items() if rows and label not in labels]
    if metric in ONE_CLASS and len(labels) == 1:
        cause = f"all have the label {labels[0]}"
    told = f"has no value on these {held.rows:,} rows: {cause}"
    if missing:
        share = sum(every.labels[label] for label in missing) / max(1, every.rows)
        more = math.ceil(math.log(1 - CERTAINTY) / math.log1p(-share))
        return (
            f"{told}; about {more:,} more rows of this slice have another one among them with {CERTAINTY:.0%} certainty"
        )
    # 0 of n rows: the share of another label may be up to 3 / n (rule of three), and as many rows again may have none.
    another = ", with another label among them" if labels else ""
    return f"{told}; at least {held.rows:,} more rows are wanted{another}"
