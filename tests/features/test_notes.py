"""What a model sees of the columns, and what it does not, in words."""

from __future__ import annotations

from sluice.features.notes import by_kind, left_out, notes
from sluice.features.spec import Features

FEATURES = Features(numeric=["x", "y"], categorical=["c"])


def test_kinds_and_columns_left_out() -> None:
    assert by_kind(FEATURES) == {"numeric": ["x", "y"], "categorical": ["c"]}
    assert left_out(FEATURES, ["id", "x", "y", "c", "late", "note"], "late") == ["id", "note"]


def test_inferred_features_are_told_and_given_ones_are_not() -> None:
    columns = ["x", "y", "c", "late"]
    assert notes(FEATURES, columns, "late", inferred=True) == ["features inferred: numeric x, y; categorical c"]
    assert notes(FEATURES, [*columns, "id"], "late", inferred=False) == ["columns that no feature uses: id"]


def test_a_wide_table_is_not_listed_whole() -> None:
    (told,) = notes(FEATURES, [f"c{i}" for i in range(1000)], "late", inferred=False)
    assert told.endswith("c19 and 980 more")
