"""Columns that a feature makes never take the place of another's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from sluice.errors import SluiceError
from sluice.features.preprocessing import IDS, NUMBERS, build
from sluice.features.raw import arrays
from sluice.features.spec import Features
from sluice.statistics.compute import compute

pytestmark = pytest.mark.tf

ROWS = 40
TABLE = pa.table({
    "age": [None if i % 4 == 0 else float(i) for i in range(ROWS)],
    "age_missing": [float(i % 3) for i in range(ROWS)],
    "age_missing_2": [float(i % 5) for i in range(ROWS)],
    "note": [f"word {i % 2}" for i in range(ROWS)],
    "note_0": [float(i) for i in range(ROWS)],
    "at": [f"2026-01-01T{i % 24:02d}:00:00Z" for i in range(ROWS)],
    "at_hour": [f"h{i % 3}" for i in range(ROWS)],
    "a": [f"a{i % 2}" for i in range(ROWS)],
    "a_x_b": [f"ab{i % 3}" for i in range(ROWS)],
    "b": [f"b{i % 2}" for i in range(ROWS)],
    "b_x_b": [f"bb{i % 2}" for i in range(ROWS)],
})  # fmt: skip
FEATURES: dict[str, Any] = {
    "numeric": ["age", "age_missing", "age_missing_2", "note_0"],
    "categorical": ["at_hour", "a", "a_x_b", "b", "b_x_b"],
    "datetime": [{"name": "at", "parts": ["hour"], "encode": "category"}],
    "text": [{"name": "note", "hash_buckets": 2}],
    "crosses": [["a", "b"], ["a_x_b", "b"], ["a", "b_x_b"]],
}


def test_a_derived_column_leaves_a_column_of_the_same_name_alone() -> None:
    import tensorflow as tf

    features = Features.model_validate(FEATURES)
    statistics = compute(TABLE.to_batches, categorical=features.counted_as_text()).statistics
    made = build(features, statistics)
    assert made.plan.numbers == ("age", "age_missing_3", "age_missing", "age_missing_2", "note_0", "note_0_2", "note_1")
    assert made.plan.ids == ("at_hour_2", "at_hour", "a", "a_x_b", "b", "b_x_b", "a_x_b_2", "a_x_b_x_b", "a_x_b_x_b_2")
    raw = arrays(TABLE, made.plan.raw)
    out = {name: value.numpy() for name, value in made.serve({k: tf.constant(v) for k, v in raw.items()}).items()}
    assert out[NUMBERS].shape == (ROWS, 7)
    assert out[IDS].shape == (ROWS, 9)
    np.testing.assert_array_equal(out[NUMBERS][:, 1], [float(i % 4 == 0) for i in range(ROWS)])
    assert len(np.unique(out[NUMBERS][:, 2])) == 3
    assert len(np.unique(out[IDS][:, 0])) == 24


def test_a_cross_of_a_name_that_means_two_things_is_refused() -> None:
    with pytest.raises(ValidationError, match="'at_hour' is a column, and a part of a time: rename the column"):
        Features.model_validate({**FEATURES, "crosses": [["at_hour", "a"]]})


def test_an_own_feature_does_not_take_another_s_name(tmp_path: Path) -> None:
    code = b"def preprocess(features):\n    return {'a': features['age']}\n"
    (tmp_path / "mine.py").write_bytes(code)
    own = {"module": str(tmp_path / "mine.py"), "sha256": hashlib.sha256(code).hexdigest()}
    features = Features.model_validate({"categorical": ["a"], "numeric": ["age"], "preprocess": own})
    statistics = compute(TABLE.to_batches, categorical=features.counted_as_text()).statistics
    with pytest.raises(SluiceError, match="which another feature makes"):
        build(features, statistics)
