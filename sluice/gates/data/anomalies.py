"""How grave each TFDV anomaly is, unless the policy says otherwise.

Source of the types: tensorflow-metadata's ``anomalies.proto``. What is not named here is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.gates.data.evidence import Anomaly

# Worth a look, but no ground by itself to refuse data.
WARNINGS = frozenset({
    "SCHEMA_NEW_COLUMN",
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES_TRAINING_SERVING",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT",
    "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT", "INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT",
    "DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES",
})  # fmt: skip


def severity_of(anomaly: Anomaly, overrides: Mapping[str, str]) -> str:
    """``error``, ``warning`` or ``ignore``; an override for one feature goes before one for the type."""
    built_in = "warning" if anomaly.kind in WARNINGS else "error"
    return overrides.get(f"{anomaly.feature}:{anomaly.kind}", overrides.get(anomaly.kind, built_in))
