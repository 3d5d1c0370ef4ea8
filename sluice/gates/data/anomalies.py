"""How grave each of TFDV's anomalies is, unless the policy says otherwise.

The types are those of tensorflow-metadata's ``anomalies.proto``. An error closes the gate; a warning is worth a look,
and no ground by itself to refuse data; what is ignored is judged by a rule of ours instead.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.gates.data.evidence import Anomaly, Presence, UnseenValues

WARNINGS = (
    "SCHEMA_NEW_COLUMN", "FEATURE_TYPE_LOW_NUMBER_PRESENT", "FEATURE_TYPE_HIGH_UNIQUE", "FEATURE_TYPE_LOW_UNIQUE",
    "DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES", "COMPARATOR_LOW_NUM_EXAMPLES", "COMPARATOR_HIGH_NUM_EXAMPLES",
    "SEMANTIC_DOMAIN_UPDATE", "NLP_WRONG_LOCATION", "STATS_NOT_AVAILABLE", "FEATURE_COVERAGE_TOO_LOW",
    "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH", "LOW_SUPPORTED_IMAGE_FRACTION",
)  # fmt: skip
IGNORED = ("COMPARATOR_CONTROL_DATA_MISSING", "COMPARATOR_TREATMENT_DATA_MISSING", "MULTIPLE_REASONS")
ERRORS = (
    "UNKNOWN_TYPE", "BOOL_TYPE_BIG_INT", "BOOL_TYPE_BYTES_NOT_INT", "BOOL_TYPE_BYTES_NOT_STRING", "BOOL_TYPE_FLOAT_NOT_INT",
    "BOOL_TYPE_FLOAT_NOT_STRING", "BOOL_TYPE_INT_NOT_STRING", "BOOL_TYPE_SMALL_INT", "BOOL_TYPE_STRING_NOT_INT",
    "BOOL_TYPE_UNEXPECTED_STRING", "BOOL_TYPE_UNEXPECTED_FLOAT", "BOOL_TYPE_INVALID_CONFIG", "ENUM_TYPE_BYTES_NOT_STRING",
    "ENUM_TYPE_FLOAT_NOT_STRING", "ENUM_TYPE_INT_NOT_STRING", "ENUM_TYPE_INVALID_UTF8", "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "FEATURE_TYPE_HIGH_NUMBER_VALUES", "FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_LOW_NUMBER_VALUES",
    "FEATURE_TYPE_NOT_PRESENT", "FEATURE_TYPE_NO_VALUES", "FEATURE_TYPE_UNEXPECTED_REPEATED", "FEATURE_TYPE_NO_UNIQUE",
    "FLOAT_TYPE_BIG_FLOAT", "FLOAT_TYPE_NOT_FLOAT", "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_STRING_NOT_FLOAT",
    "FLOAT_TYPE_NON_STRING", "FLOAT_TYPE_UNKNOWN_TYPE_NUMBER", "FLOAT_TYPE_HAS_NAN", "FLOAT_TYPE_HAS_INF", "INT_TYPE_BIG_INT",
    "INT_TYPE_INT_EXPECTED", "INT_TYPE_NOT_INT_STRING", "INT_TYPE_NOT_STRING", "INT_TYPE_SMALL_INT", "INT_TYPE_STRING_EXPECTED",
    "INT_TYPE_UNKNOWN_TYPE_NUMBER", "SCHEMA_MISSING_COLUMN", "SCHEMA_TRAINING_SERVING_SKEW", "STRING_TYPE_NOW_FLOAT",
    "STRING_TYPE_NOW_INT", "COMPARATOR_L_INFTY_HIGH", "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH", "NO_DATA_IN_SPAN", "SPARSE_FEATURE_MISSING_VALUE",
    "SPARSE_FEATURE_MISSING_INDEX", "SPARSE_FEATURE_LENGTH_MISMATCH", "SPARSE_FEATURE_NAME_COLLISION",
    "WEIGHTED_FEATURE_NAME_COLLISION", "WEIGHTED_FEATURE_MISSING_VALUE", "WEIGHTED_FEATURE_MISSING_WEIGHT",
    "WEIGHTED_FEATURE_LENGTH_MISMATCH", "VALUE_NESTEDNESS_MISMATCH", "DOMAIN_INVALID_FOR_TYPE", "FEATURE_MISSING_NAME",
    "FEATURE_MISSING_TYPE", "INVALID_SCHEMA_SPECIFICATION", "INVALID_DOMAIN_SPECIFICATION", "UNEXPECTED_DATA_TYPE",
    "SEQUENCE_VALUE_TOO_FEW_OCCURRENCES", "SEQUENCE_VALUE_TOO_MANY_OCCURRENCES", "SEQUENCE_VALUE_TOO_SMALL_FRACTION",
    "SEQUENCE_VALUE_TOO_LARGE_FRACTION", "EMBEDDING_SHAPE_INVALID", "MAX_IMAGE_BYTE_SIZE_EXCEEDED", "INVALID_FEATURE_SHAPE",
    "DERIVED_FEATURE_BAD_LIFECYCLE", "DERIVED_FEATURE_INVALID_SOURCE", "CUSTOM_VALIDATION",
)  # fmt: skip
SEVERITIES: dict[str, str] = {
    **dict.fromkeys(ERRORS, "error"),
    **dict.fromkeys(WARNINGS, "warning"),
    **dict.fromkeys(IGNORED, "ignore"),
}


def severity_of(anomaly: Anomaly | UnseenValues | Presence, overrides: Mapping[str, str]) -> str:
    """``error``, ``warning`` or ``ignore``; an override for one feature goes before one for the type.

    A type that a newer TFDV knows and this table does not is an error.
    """
    built_in = SEVERITIES.get(anomaly.kind, "error")
    return overrides.get(f"{anomaly.feature}:{anomaly.kind}", overrides.get(anomaly.kind, built_in))


def allowed_by(anomaly: Anomaly | UnseenValues | Presence, severity: str) -> str:
    """The line of policy that lets an anomaly pass: an error as a warning, a warning in silence."""
    key = f"{anomaly.feature}:{anomaly.kind}" if anomaly.feature else anomaly.kind
    instead = "warning" if severity == "error" else "ignore"
    return f"policies.data.anomalies: {{{json.dumps(key, ensure_ascii=False)}: {instead}}}"
