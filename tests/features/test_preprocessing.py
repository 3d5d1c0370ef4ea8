"""Preprocessing: equal to a pandas reference on random tables with nulls, unseen categories and infinities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.features.spec import Categorical, Features, Numeric
from sluice.models.manifest import RawType
from sluice.statistics.artifact import SplitStatistics

pytestmark = pytest.mark.tf

numbers = st.lists(st.none() | st.floats(-1e6, 1e6, width=32), min_size=5, max_size=60).filter(
    lambda v: any(x is not None for x in v)
)
words = st.lists(st.none() | st.sampled_from(["a", "b", "ü", "long word", "7"]), min_size=5, max_size=60)


def statistics(**columns: list[object]) -> SplitStatistics:
    from sluice.statistics.compute import compute

    table = pa.table({name: pa.array(values, pa.string() if name == "c" else None) for name, values in columns.items()})
    return compute(table.to_batches, categorical={"c"}).statistics


def applied(features: Features, facts: SplitStatistics, **columns: list[object]) -> dict[str, np.ndarray]:
    import tensorflow as tf

    from sluice.features.preprocessing import build
    from sluice.features.raw import arrays

    model, plan = build(features, facts)
    table = pa.table(
        {n: pa.array(v, pa.string() if plan.raw[n] is RawType.STRING else pa.float64()) for n, v in columns.items()}
    )
    made = model({name: tf.constant(column) for name, column in arrays(table, plan.raw).items()})
    return {name: tensor.numpy() for name, tensor in made.items()}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers, numbers)
def test_z_score_with_missing(seen: list[float | None], given_: list[float | None]) -> None:
    import pandas as pd

    made = applied(Features(numeric=["x"]), statistics(x=[*seen]), x=given_)
    reference, series = pd.Series(seen, dtype=float), pd.Series(given_, dtype=float)
    deviation = reference.std(ddof=0) or 1.0
    scaled = ((series - reference.mean()) / deviation).fillna(0.0)
    np.testing.assert_allclose(
        made["numbers"][:, 0], scaled, rtol=1e-3, atol=1e-3 * max(1.0, abs(reference.mean()) / deviation)
    )
    if reference.isna().any():
        np.testing.assert_array_equal(made["numbers"][:, 1], series.isna().astype(float))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words.filter(any), words)
def test_vocabulary_with_missing_and_unseen(seen: list[str | None], given_: list[str | None]) -> None:
    """Equal values get equal ids, different seen values different ones, and all unseen ones share the bucket 0."""
    made = applied(Features(categorical=["c"]), statistics(c=seen), c=[*given_, "never seen"])["ids"][:, 0]
    ids: dict[str | None, int] = {}
    for text, index in zip([*given_, "never seen"], made, strict=True):
        assert ids.setdefault(text, int(index)) == index
    known = {text for text in seen if text is not None} | ({None} if None in seen else set())
    assert ids["never seen"] == 0
    assert all((index == 0) == (text not in known) for text, index in ids.items())
    kept = [index for text, index in ids.items() if text in known]
    assert len(kept) == len(set(kept))


def test_infinities_stay_infinite_and_do_not_spoil_others() -> None:
    made = applied(
        Features(numeric=["x"]), statistics(x=[1.0, 2.0, 3.0, None]), x=[float("inf"), 2.0, float("-inf"), None]
    )
    assert made["numbers"][:, 0].tolist() == [np.inf, 0.0, -np.inf, 0.0]


def test_min_max_buckets_and_log() -> None:
    facts = statistics(x=[float(i) for i in range(101)])
    low_high = applied(Features(numeric=[Numeric(name="x", scaling="min_max")]), facts, x=[0.0, 50.0, 100.0])
    np.testing.assert_allclose(low_high["numbers"][:, 0], [0, 0.5, 1])
    quartiles = applied(Features(numeric=[Numeric(name="x", buckets=4)]), facts, x=[0.0, 30.0, 60.0, 99.0])
    assert quartiles["numbers"].argmax(axis=1).tolist() == [0, 1, 2, 3]
    logs = applied(Features(numeric=[Numeric(name="x", log=True, scaling="none")]), facts, x=[0.0, 9.0])
    np.testing.assert_allclose(logs["numbers"][:, 0], [0, np.log(10)], rtol=1e-6)


def test_top_k_minimum_count_and_hashing() -> None:
    facts = statistics(c=["a"] * 5 + ["b"] * 3 + ["c"] * 1)
    top = applied(Features(categorical=[Categorical(name="c", top_k=1)]), facts, c=["a", "b", "c"])["ids"][
        :, 0
    ].tolist()
    assert top == [1, 0, 0]
    often = applied(Features(categorical=[Categorical(name="c", min_count=3)]), facts, c=["a", "b", "c"])["ids"][
        :, 0
    ].tolist()
    assert often == [1, 2, 0]
    hashed = applied(Features(categorical=[Categorical(name="c", hash_buckets=8)]), facts, c=["a", "zzz", "a"])["ids"][
        :, 0
    ]
    assert hashed[0] == hashed[2]
    assert ((hashed >= 0) & (hashed < 8)).all()


@pytest.mark.parametrize(
    ("features", "columns", "message"),
    [
        (Features(numeric=["gone"]), {"x": [1.0]}, "no statistics of 'gone'\n  columns: x"),
        (Features(numeric=["c"]), {"c": ["a"]}, "'c' is text, and listed as a number"),
        (Features(categorical=["x"]), {"x": [1.0]}, "'x' is a number in the statistics, and listed as a category"),
        (Features(numeric=["x"]), {"x": [None, float("nan")]}, "'x' has no value in the train split"),
    ],
)
def test_mistakes(features: Features, columns: dict[str, list[object]], message: str) -> None:
    from sluice.features.preprocessing import build

    with pytest.raises(SluiceError) as caught:
        build(features, statistics(**columns))
    assert message in str(caught.value)


def test_a_vocabulary_longer_than_kept_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    from sluice.features.preprocessing import build
    from sluice.statistics import compute

    monkeypatch.setattr(compute, "VOCABULARY_LIMIT", 3)
    with pytest.raises(SluiceError, match="set top_k to 3 or less, or hash_buckets"):
        build(Features(categorical=["c"]), statistics(c=["a", "b", "c", "d", "e"]))


def test_raw_arrays_need_every_feature(tmp_path: Path) -> None:
    from sluice.features.raw import arrays

    with pytest.raises(SluiceError, match="the feature 'y' is not in the data"):
        arrays(pa.table({"x": [1.0]}), {"y": RawType.FLOAT})
