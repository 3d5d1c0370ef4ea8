"""Preprocessing: equal to a pandas reference on random tables with nulls, unseen categories and infinities."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.features.spec import Boolean, Categorical, Cross, DateTime, Features, Numeric, Text
from sluice.models.manifest import RawType
from sluice.statistics.artifact import SplitStatistics
from tests.features import reference

pytestmark = pytest.mark.tf

Rows = list[dict[str, Any]]

KINDS = {
    "plain": pa.float64(), "wide": pa.float64(), "tail": pa.float64(), "clipped": pa.float64(), "binned": pa.float64(),
    "word": pa.string(), "rare": pa.string(), "hashed": pa.string(), "yes": pa.string(), "at": pa.string(),
    "when": pa.string(), "note": pa.string(), "title": pa.string(),
}  # fmt: skip
finite = st.floats(-1e6, 1e6, width=32)
several = st.sampled_from(["a", "b", "ü", "long word", "7", ""])
offsets = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-14 * 60, 14 * 60))
times = st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1)).map(lambda t: t.isoformat()) | st.datetimes(
    datetime(1900, 1, 1), datetime(2199, 1, 1), timezones=offsets
).map(lambda t: t.isoformat(sep=" "))
zulu = st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1)).map(lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}")
dates = st.dates(datetime(1900, 1, 1).date(), datetime(2199, 1, 1).date()).map(str)
notes = st.text(st.sampled_from("abZÜ 9,.-"), max_size=12)
titles = st.lists(st.sampled_from(["Red", "fish", "blue", "10"]), max_size=4).map(" ".join)

no_time = st.sampled_from(["", "yesterday", "2013-02-30", "2013-13-01", "2013-01-01T24:00:00Z", "2013-01-01T05:00"])
infinite = st.sampled_from([np.inf, -np.inf])


def rows(unseen: bool) -> st.SearchStrategy[Rows]:
    """Rows of every kind of feature; what training does not see only where it is served."""
    number = finite | infinite | st.just(1e30) if unseen else finite
    word = (
        several | st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=5) if unseen else several
    )
    time = times | zulu | dates | no_time
    values: dict[str, st.SearchStrategy[Any]] = {
        "plain": number, "wide": number, "tail": number, "clipped": number | infinite, "binned": number | infinite,
        "word": word, "rare": word, "hashed": word, "at": time, "when": time, "note": notes, "title": titles,
        "yes": st.sampled_from(["true", "False", "YES", "0", *(["maybe", ""] if unseen else [])]),
    }  # fmt: skip
    return st.lists(
        st.fixed_dictionaries({name: st.none() | value for name, value in values.items()}), min_size=3, max_size=25
    )


yes_or_no, fill = st.booleans(), st.sampled_from(["auto", "mean", "zero", 2.5, -1e3])
exact = st.sampled_from(["min_max", "none"])
"""Scalings of a logarithm or of clipped values that need no moments: those are near, and have a test of their own."""


@st.composite
def specs(draw: st.DrawFn) -> Features:
    """Every kind of feature with any of its options."""

    def options(kind: Any, **given: st.SearchStrategy[Any]) -> Any:
        return kind(**{name: draw(value) for name, value in given.items()})

    parts = ["minute", "hour", "weekday", "day", "day_of_year", "month"]
    words = st.sampled_from([[], ["red", "red fish", "10"]])
    text = {"ngrams": st.integers(1, 3), "level": st.sampled_from(["word", "char"]), "lowercase": yes_or_no}
    return Features(
        numeric=[
            options(Numeric, name=st.just("plain"), impute=fill, missing_indicator=yes_or_no),
            options(Numeric, name=st.just("wide"), scaling=st.just("min_max"), impute=fill, missing_indicator=yes_or_no),
            options(Numeric, name=st.just("tail"), log=st.just(True), scaling=exact, impute=st.just(2.5)),
            options(Numeric, name=st.just("clipped"), clip=st.sampled_from([[-10, 10], [0, 1e5]]), scaling=exact, log=yes_or_no, impute=st.just(3.0)),
            options(Numeric, name=st.just("binned"), buckets=st.integers(2, 20)),
        ],
        categorical=[
            options(Categorical, name=st.just("word"), top_k=st.integers(1, 6), oov_buckets=st.integers(1, 3)),
            options(Categorical, name=st.just("rare"), min_count=st.integers(1, 2), oov_buckets=st.integers(1, 3)),
            options(Categorical, name=st.just("hashed"), hash_buckets=st.integers(1, 50)),
        ],
        boolean=[options(Boolean, name=st.just("yes"), missing_indicator=yes_or_no)],
        datetime=[
            options(DateTime, name=st.just("at"), parts=st.permutations(parts), missing_indicator=yes_or_no),
            options(DateTime, name=st.just("when"), parts=st.sampled_from([["month"], ["day", "month"]]), encode=st.just("category")),
        ],
        text=[
            options(Text, name=st.just("note"), hash_buckets=st.integers(1, 32), **text),
            options(Text, name=st.just("title"), hash_buckets=st.just(0), vocabulary=words, top_k=st.integers(1, 9), **text),
        ],
        crosses=[["word", "binned"], options(Cross, features=st.just(["word", "rare", "when_month"]), hash_buckets=st.integers(2, 99))],
    )  # fmt: skip


def table(made: Rows) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in made], kind) for name, kind in KINDS.items()})


def known(made: Rows) -> bool:
    """Whether training saw a value of every feature (a time, a word), and of `rare` one twice."""
    rare = [row["rare"] for row in made if row["rare"]]
    numbers = all(
        np.isfinite([row[name] for row in made if row[name] is not None]).any() for name in ("clipped", "binned")
    )
    given = {name: [row[name] for row in made if row[name] not in (None, "")] for name in KINDS}
    times = all(any(map(reference.time, given[name])) for name in ("at", "when"))
    words = any(char.isalnum() for value in given["title"] for char in value)
    return numbers and times and words and len({*rare}) < len(rare) and all(given.values())


def statistics(features: Features, seen: pa.Table) -> SplitStatistics:
    from sluice.statistics.compute import compute

    return compute(seen.to_batches, categorical=features.counted_as_text()).statistics


def applied(features: Features, seen: pa.Table, served: pa.Table) -> dict[str, np.ndarray]:
    """Column by column, what preprocessing set from one table makes of another."""
    return sized(features, seen, served)[0]


def sized(features: Features, seen: pa.Table, served: pa.Table) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The columns, and how many ids those of ids have."""
    import tensorflow as tf

    from sluice.features.preprocessing import IDS, NUMBERS, build
    from sluice.features.raw import arrays

    made = build(features, statistics(features, seen), {field.name: str(field.type) for field in seen.schema})
    outputs = made.serve({name: tf.constant(column) for name, column in arrays(served, made.plan.raw).items()})
    columns: dict[str, np.ndarray] = {}
    for name, names in ((NUMBERS, made.plan.numbers), (IDS, made.plan.ids)):
        if names:
            columns |= dict(zip(names, outputs[name].numpy().T, strict=True))
    sizes = dict(zip(made.plan.ids, made.plan.sizes, strict=True))
    for name, size in sizes.items():
        assert ((columns[name] >= 0) & (columns[name] < size)).all(), name
    return columns, sizes


@settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate],
)  # fmt: skip
@given(specs(), rows(unseen=False).filter(known), rows(unseen=True))
def test_equal_to_the_reference(features: Features, seen: Rows, served: Rows) -> None:
    made, sizes = sized(features, table(seen), table(served))
    seen_frame, frame = table(seen).to_pandas(), table(served).to_pandas()
    expected = reference.numbers(features, seen_frame, frame)
    size = max(1.0, *(abs(row["plain"] or 0.0) for row in seen))
    for name, values in expected.items():
        spread = max(1.0, size / (seen_frame[name].astype(float).std(ddof=0) or 1.0)) if name == "plain" else 1.0
        np.testing.assert_allclose(made.pop(name), values, rtol=1e-3, atol=2e-5 * spread, err_msg=name)
    _categories(features, made, seen_frame, frame)
    _crosses(features, made, sizes)
    assert {*made} == {*sizes}


def _categories(features: Features, made: dict[str, np.ndarray], seen: Any, served: Any) -> None:
    import farmhash

    for spec in features.categorical[:2]:
        surely, some = reference.vocabulary(spec, seen[spec.name])
        ids = dict(zip(served[spec.name].fillna(""), made[spec.name], strict=True))
        for word, index in ids.items():
            assert index >= spec.oov_buckets or word not in surely
            assert index < spec.oov_buckets or word in surely | some
            assert index >= spec.oov_buckets or index == farmhash.fingerprint64(word) % spec.oov_buckets
        own = sorted((index, word) for word, index in ids.items() if index >= spec.oov_buckets)
        counts = [(seen[spec.name] == word).sum() for _, word in own if word]
        assert counts == sorted(counts, reverse=True)
        assert len({index for index, _ in own}) == len(own)
    (hashed,) = features.categorical[2:]
    hashes = [farmhash.fingerprint64(word) for word in served["hashed"].fillna("")]
    assert made["hashed"].tolist() == [number % hashed.hash_buckets for number in hashes]
    for name, expected in reference.categories_of_time(features.datetime[1], served["when"]).items():
        np.testing.assert_array_equal(made[name], expected, err_msg=name)
    values = served["binned"].to_numpy(np.float32)
    order = np.argsort(values)  # the missing last
    assert (np.diff(made["binned"][order][~np.isnan(values[order])]) >= 0).all()
    assert ((made["binned"] == 0) == np.isnan(values)).all()


def _crosses(features: Features, made: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
    import farmhash

    for cross in features.crosses:
        one = np.zeros(len(made["word"]), np.int64)
        for name in cross.features:
            one = one * sizes[name] + made[name]
        many = np.prod([sizes[name] for name in cross.features]) > cross.hash_buckets
        expected = [farmhash.fingerprint64(str(index)) % cross.hash_buckets for index in one] if many else one
        np.testing.assert_array_equal(made[cross.name], expected)


def test_infinities_stay_infinite_and_do_not_spoil_others() -> None:
    made = applied(
        Features(numeric=["x"]), pa.table({"x": [1.0, 2.0, 3.0, None]}), pa.table({"x": [np.inf, 2.0, -np.inf, None]})
    )
    assert made["x"].tolist() == [np.inf, 0.0, -np.inf, 0.0]


def test_buckets_share_the_rows_and_missing_values_have_their_own() -> None:
    values = np.random.default_rng(0).lognormal(0, 2, 20_000)
    seen = pa.table({"x": values})
    for buckets in (4, 20):
        made = applied(Features(numeric=[Numeric(name="x", buckets=buckets)]), seen, pa.table({"x": [*values, None]}))
        assert made["x"][-1] == 0
        shares = np.bincount(made["x"])[1:] / len(values)
        assert len(shares) == buckets
        assert abs(shares - 1 / buckets).max() < 0.03


@pytest.mark.parametrize(
    "number",
    [
        Numeric(name="x", log=True),
        Numeric(name="x", clip=[0.5, 3.0]),
        Numeric(name="x", log=True, clip=[0.5, 30.0]),
    ],
)
def test_moments_of_changed_values_are_near(number: Numeric) -> None:
    """Of a logarithm or of clipped values they come from the quantiles."""
    values = np.random.default_rng(0).lognormal(0, 1, 20_000)
    made = applied(Features(numeric=[number]), pa.table({"x": values}), pa.table({"x": values}))["x"]
    assert abs(made.mean()) < 0.1
    assert abs(made.std() - 1) < 0.1


def test_infinite_values_in_training() -> None:
    seen = pa.table({"x": [1.0, 2.0, np.inf, 4.0, 5.0] * 20})
    served = pa.table({"x": [np.inf, 1.0, None]})
    clipped = applied(Features(numeric=[Numeric(name="x", clip=[0, 10], scaling="min_max")]), seen, served)["x"]
    np.testing.assert_allclose(clipped[:2], [1.0, 0.0])
    scaled = applied(Features(numeric=[Numeric(name="x", clip=[0, 10])]), seen, served)["x"]
    assert np.isfinite(scaled).all()
    binned = applied(Features(numeric=[Numeric(name="x", buckets=4)]), seen, served)["x"]
    assert binned[0] == binned.max() > binned[1] > binned[2] == 0
    mostly = pa.table({"x": [1.0, 2.0, np.inf, np.inf, np.inf] * 20})
    binned = applied(Features(numeric=[Numeric(name="x", buckets=4)]), mostly, served)["x"]
    assert binned[0] > binned[1] > binned[2] == 0
    clipped = applied(Features(numeric=[Numeric(name="x", clip=[0, 10], scaling="min_max")]), mostly, served)["x"]
    assert clipped[2] == clipped[0] == 1.0


@pytest.mark.parametrize(("impute", "expected"), [("median", 30.0), ("mean", 40.0), ("zero", 0.0), (7.5, 7.5)])
def test_imputation(impute: Any, expected: float) -> None:
    seen = pa.table({"x": [10.0, 20.0, 30.0, 40.0, 100.0]})
    spec = Numeric(name="x", impute=impute, scaling="none")
    assert applied(Features(numeric=[spec]), seen, pa.table({"x": pa.array([None], pa.float64())}))["x"] == expected


def test_top_k_and_minimum_count() -> None:
    seen, served = pa.table({"c": ["a"] * 5 + ["b"] * 3 + ["c"]}), pa.table({"c": ["a", "b", "c"]})
    assert applied(Features(categorical=[Categorical(name="c", top_k=1)]), seen, served)["c"].tolist() == [1, 0, 0]
    assert applied(Features(categorical=[Categorical(name="c", min_count=3)]), seen, served)["c"].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([3, None, 40]), ["3", "", "40"]),
        (pa.array([True, None, False]), ["true", "", "false"]),
        (pa.array([1.5, None, float("nan")]), ["1.5", "", ""]),
        (pa.array(["x", None, "ü"]).dictionary_encode(), ["x", "", "ü"]),
        (
            pa.array([datetime(2013, 1, 31, 5), None, datetime(1969, 12, 31, 23, 59, 59, 5)], pa.timestamp("us")),
            ["2013-01-31T05:00:00Z", "", "1969-12-31T23:59:59Z"],
        ),
        (
            pa.array([datetime(2013, 1, 31, 5, tzinfo=UTC)], pa.timestamp("ns", "Asia/Tokyo")),
            ["2013-01-31T05:00:00Z"],
        ),
        (pa.array([datetime(2013, 1, 31).date(), None]), ["2013-01-31", ""]),
    ],
)
def test_every_type_as_text_at_the_signature(column: pa.Array, texts: list[str]) -> None:
    from sluice.features.raw import arrays

    for held in (pa.table({"c": column}), pa.record_batch([column], names=["c"])):
        assert [value.decode() for value in arrays(held, {"c": RawType.STRING})["c"]] == texts


def test_a_category_of_any_type_is_found_again() -> None:
    for values in ([3, 7], [True, False], [0.5, 2.25], ["3", "x"]):
        held = pa.table({"c": [*values, None]})
        assert sorted(applied(Features(categorical=["c"]), held, held)["c"]) == [1, 2, 3]


def test_the_trend_of_timestamps() -> None:
    days = [datetime(2013, 1, day) for day in (1, 2, 3)]
    held = pa.table({"t": pa.array([*days, None], pa.timestamp("us"))})
    made = applied(Features(datetime=[DateTime(name="t", parts=["trend"])]), held, held)
    np.testing.assert_allclose(made["t_trend"], [-np.sqrt(1.5), 0, np.sqrt(1.5), 0], rtol=1e-6)
    assert made["t_missing"].tolist() == [0, 0, 0, 1]


def test_a_vocabulary_of_ngrams_from_the_statistics() -> None:
    seen = pa.table({"t": ["red fish", "Red fish!", "blue fish", "10 fish"]})
    spec = Text(name="t", hash_buckets=0, ngrams=2, min_count=2)
    made = applied(Features(text=[spec]), seen, pa.table({"t": ["red fish", "fish fish red", "whale", None]}))
    expected = [[1, 1, 1], [2, 1, 0], [0, 0, 0], [0, 0, 0]]  # fish, red, "red fish"
    lengths = np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1)
    np.testing.assert_allclose(
        np.stack([made[f"t_{index}"] for index in range(3)], axis=1), expected / lengths, rtol=1e-6
    )


def test_characters() -> None:
    spec = Text(name="t", level="char", ngrams=2, hash_buckets=0, vocabulary=["ü", "üa"])
    held = pa.table({"t": ["Üa", "aÜ"]})
    made = applied(Features(text=[spec]), held, held)
    np.testing.assert_allclose([made["t_0"], made["t_1"]], [[np.sqrt(0.5), 1], [np.sqrt(0.5), 0]], rtol=1e-6)


def test_names_of_any_kind() -> None:
    held = pa.table({"a b": [1.0, 2.0], "Größe/cm": ["x", "y"], "c-d.e": [datetime(2013, 1, 1), datetime(2014, 1, 1)]})
    features = Features(numeric=["a b"], categorical=["Größe/cm"], datetime=["c-d.e"])
    assert applied(features, held, held)["Größe/cm"].tolist() in ([1, 2], [2, 1])


@pytest.mark.parametrize(
    ("features", "columns", "message"),
    [
        (Features(numeric=["gone"]), {"x": [1.0]}, "no statistics of 'gone'\n  columns: x"),
        (Features(numeric=["c"]), {"c": ["a"]}, "'c' is text, and listed as a number"),
        (Features(numeric=["x"]), {"x": [None, float("nan")]}, "'x' has no value in the train split"),
        (Features(numeric=["x"]), {"x": [None]}, "'x' has no value in the train split"),
        (Features(categorical=["x"]), {"x": [None]}, "'x' has no value in the train split"),
        (Features(datetime=["x"]), {"x": pa.array([None], pa.timestamp("us"))}, "'x' has no value in the train split"),
        (Features(text=["x"]), {"x": pa.array([None], pa.string())}, "'x' has no value in the train split"),
        (Features(text=["x"]), {"x": [1.0]}, "'x' is a number in the statistics"),
        (Features(boolean=["x"]), {"x": ["yes", "maybe"]}, "'x' is neither yes nor no where it is 'maybe'"),
        (Features(numeric=["x"]), {"x": [1.0, np.inf]}, "set clip: [low, high], or buckets, or scaling: none"),
        (
            Features(numeric=[Numeric(name="x", scaling="none", impute="mean")]),
            {"x": [1.0, np.inf]},
            "'x' has infinite values, and so no mean",
        ),
        (
            Features(datetime=[DateTime(name="x", parts=["trend"])]),
            {"x": ["2013-01-01"]},
            "leave trend out of its parts",
        ),
        (
            Features(text=[Text(name="x", hash_buckets=0, min_count=2)]),
            {"x": ["a", "b"]},
            "no n-gram of 'x' occurs in 2 rows",
        ),
        (
            Features(categorical=[Categorical(name="x", min_count=2)]),
            {"x": ["a", "b"]},
            "no value of 'x' occurs in 2 rows",
        ),
    ],
)
def test_mistakes(features: Features, columns: dict[str, Any], message: str) -> None:
    from sluice.features.preprocessing import build

    with pytest.raises(SluiceError) as caught:
        build(features, statistics(features, pa.table(columns)))
    assert message in str(caught.value)


def test_a_category_that_the_statistics_took_for_a_number() -> None:
    from sluice.features.preprocessing import build

    with pytest.raises(SluiceError, match=r"features\.categorical: x: 'x' is a number in the statistics"):
        build(Features(categorical=["x"]), statistics(Features(), pa.table({"x": [1, 2]})))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (Features(categorical=["c"]), "set top_k to 3 or less, or hash_buckets"),
        (Features(text=[Text(name="c", hash_buckets=0)]), "set hash_buckets, or give the vocabulary"),
    ],
)
def test_a_vocabulary_longer_than_kept_names_the_option(
    monkeypatch: pytest.MonkeyPatch, features: Features, message: str
) -> None:
    from sluice.features.preprocessing import build
    from sluice.statistics import compute

    monkeypatch.setattr(compute, "VOCABULARY_LIMIT", 3)
    with pytest.raises(SluiceError, match=message):
        build(features, statistics(features, pa.table({"c": ["a", "b", "c", "d", "e"]})))


def test_raw_arrays_need_every_feature(tmp_path: Path) -> None:
    from sluice.features.raw import arrays

    with pytest.raises(SluiceError, match="the feature 'y' is not in the data"):
        arrays(pa.table({"x": [1.0]}), {"y": RawType.FLOAT})
