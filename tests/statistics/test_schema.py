"""Inferred schemas: what they carry, what is judged by it, and what a person set and is taken literally."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sluice.errors import SluiceError
from sluice.gates.data.evidence import Presence, UnseenValues

pytestmark = pytest.mark.tf

RARE = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"


def statistics(categorical: tuple[str, ...] = (), **columns: Any) -> Any:
    from sluice.statistics.compute import compute

    return compute(pa.table(columns).to_batches, categorical=set(categorical)).statistics


def judged(schema: Any, held: Any, as_text: tuple[str, ...] = ()) -> tuple[list[str], list[UnseenValues | Presence]]:
    from sluice.statistics.schema import anomalies

    found, sampled = anomalies(held, schema, "train", as_text=as_text)
    return [anomaly.kind for anomaly in found], sampled


def again(schema: Any, tmp_path: Path) -> Any:
    """As it comes back from its file."""
    from sluice.statistics.artifact import load_schema, save_schema

    save_schema(schema, tmp_path / "schema.pbtxt")
    return load_schema(tmp_path / "schema.pbtxt")


def test_an_inferred_schema_carries_the_sizes_of_its_sample_through_its_file(tmp_path: Path) -> None:
    from sluice.statistics.schema import infer

    schema = again(infer(statistics(c=["a"] * 7 + ["b", None, None])), tmp_path)
    assert list(schema.feature[0].annotation.tag) == ["sluice.present=8/10", "sluice.counts=7,1"]
    kinds, (presence, unseen) = judged(schema, statistics(c=["a"] * 5 + ["x", "x", "y", None, None, None, None]))
    assert kinds == []
    assert presence == Presence("c", "FEATURE_TYPE_LOW_FRACTION_PRESENT", "train", 8, 12, 8, 10, 0.05)
    assert unseen == UnseenValues(
        "c", RARE, "train", 3, 8, 8, pooled=((1, 2), (2, 1), (12, 1)), tolerance=0.01, values=("x", "y")
    )


@pytest.mark.parametrize(
    ("values", "later"),
    [
        (["true"] * 9, ["true", "false"]),  # TFDV takes the column for a boolean that is never false
        (["1", "2"] * 9, ["1", "A1"]),  # and this one for a number
        (["a", "b"] * 9, ["a", "c"]),
    ],
)
def test_a_domain_that_a_sample_suggests_is_judged_by_its_size(values: list[str], later: list[str]) -> None:
    from sluice.statistics.schema import infer

    kinds, sampled = judged(infer(statistics(c=values)), statistics(c=later))
    assert kinds == []
    assert [(s.unseen, s.rows) for s in sampled if isinstance(s, UnseenValues)] == [(1, 2)]


@pytest.mark.parametrize(("later", "unseen"), [([0, 1, 7, 7, 7], 3), ([0, 1, -1], 1), ([0, 1, 1], 0)])
def test_numbers_beside_0_and_1_are_counted(later: list[int], unseen: int) -> None:
    from sluice.statistics.schema import infer

    kinds, sampled = judged(infer(statistics(n=[0, 1] * 50)), statistics(n=later))
    assert kinds == []
    assert [s.unseen for s in sampled if isinstance(s, UnseenValues)] == [unseen]


def test_what_a_person_set_is_literal(tmp_path: Path) -> None:
    from sluice.statistics.command import _relax
    from sluice.statistics.schema import infer

    held = infer(statistics(c=["a"] * 50 + ["b"] * 50))
    other = statistics(c=["a"] * 60 + ["x"] * 5 + [None] * 40)
    assert judged(held, other)[0] == []
    for name, change in {
        "min_fraction": lambda f: setattr(f.presence, "min_fraction", 0.9),
        "min_domain_mass": lambda f: setattr(f.distribution_constraints, "min_domain_mass", 0.999),
    }.items():
        schema = again(held, tmp_path)
        change(schema.feature[0])
        expected = "FEATURE_TYPE_LOW_FRACTION_PRESENT" if name == "min_fraction" else RARE
        assert judged(schema, other)[0] == [expected]
    schema = again(held, tmp_path)
    schema.string_domain[0].value.append("c")
    assert judged(schema, other)[0] == [RARE]
    given = Namespace(schema=tmp_path / "schema.pbtxt", feature="c", domain_mass=0.97, present=0.9)
    assert sorted(judged(_relax(given), other)[0]) == [RARE, "FEATURE_TYPE_LOW_FRACTION_PRESENT"]


@pytest.mark.parametrize(("domain_mass", "present"), [(0.0, 0.0), (0.5, 0.5)])
def test_relax_relaxes(tmp_path: Path, domain_mass: float, present: float) -> None:
    """Also what asks for a value beside the fraction: a number of rows, and a shape, as TFDV infers it by itself."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    from sluice.statistics.artifact import save_schema
    from sluice.statistics.command import _relax

    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="c", type=schema_pb2.BYTES)
    feature.shape.dim.add(size=1)
    feature.presence.min_fraction, feature.presence.min_count = 1.0, 80
    feature.string_domain.value.extend(["a", "b"])
    save_schema(schema, tmp_path / "schema.pbtxt")
    loose = statistics(c=["a"] * 25 + ["x"] * 25 + [None] * 50)
    assert judged(schema, loose)[0] != []
    given = Namespace(schema=tmp_path / "schema.pbtxt", feature="c", domain_mass=domain_mass, present=present)
    assert judged(_relax(given), loose)[0] == []
    if present == 0:
        assert judged(_relax(given), statistics(c=pa.array([None] * 9, pa.string())))[0] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"present": 0.99}, "0.99 is stricter"), ({"domain_mass": 1.0}, "1 is stricter"), ({"present": 1.5}, "not a share")],
)  # fmt: skip
def test_relax_does_not_tighten(tmp_path: Path, options: dict[str, float], message: str) -> None:
    from sluice.statistics.command import _relax
    from sluice.statistics.schema import infer

    again(infer(statistics(c=["a", "b"] * 50)), tmp_path)
    given = Namespace(
        **({"schema": tmp_path / "schema.pbtxt", "feature": "c", "domain_mass": None, "present": None} | options)
    )
    with pytest.raises(SluiceError, match=message):
        _relax(given)


def test_a_number_in_the_schema_fits_a_column_that_is_taken_as_a_category(tmp_path: Path) -> None:
    """The schema was inferred without the use case, or comes from elsewhere."""
    from sluice.statistics.schema import infer

    raw: dict[str, Any] = {"hour": [1, 2, 3] * 9, "flag": [0, 1, 1] * 9, "share": np.array([0.5, 1.0, 2.5] * 9)}
    schema = again(infer(statistics(**raw)), tmp_path)
    cast = statistics(tuple(raw), **raw)
    assert "UNEXPECTED_DATA_TYPE" in judged(schema, cast)[0]
    assert judged(schema, cast, tuple(raw))[0] == []
    for feature in schema.feature:
        del feature.annotation.tag[:]  # as a person gives it
    assert judged(schema, cast, tuple(raw))[0] == []
    schema.feature[0].int_domain.min, schema.feature[0].int_domain.max = 0, 2
    assert judged(schema, cast, tuple(raw))[0] == ["INT_TYPE_BIG_INT"]
    text = statistics(hour=["x"] * 27, flag=["7"] * 27, share=["y"] * 27)
    assert sorted(judged(schema, text, tuple(raw))[0]) == [
        RARE, "FLOAT_TYPE_STRING_NOT_FLOAT", "INT_TYPE_NOT_INT_STRING",
    ]  # fmt: skip
