"""A seeded sample of the planted faults and of the random halves; `make faults` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.tf

SAMPLE = (
    "temperature in Celsius", "distance dropped", "a carrier renamed", "plane seats: missing as -1", "every row twice", "label shuffled",
    "label leaked into a feature", "rows of the future", "carrier as a code", "negative distances", "hours shuffled among the rows",
)  # fmt: skip


def test_planted_faults_are_caught_at_their_stated_sizes(tmp_path: Path, flights: Path) -> None:
    from tests.faults.data.planted import FLIGHTS, plant
    from tests.faults.data.tables import LARGE, month

    assert len(FLIGHTS) >= 40
    sample = tuple(fault for fault in FLIGHTS if fault.name in SAMPLE)
    assert len(sample) == len(SAMPLE)
    found = plant(tmp_path, LARGE[0], sample, month(3), smaller=False)
    assert [held.fault.name for held in found if not held.caught] == []


def test_a_seeded_sample_of_the_faults_of_other_tables_is_caught(tmp_path: Path) -> None:
    """Every sixth fault of two tables whose rows repeat by nature."""
    from tests.faults.data.classes import faults
    from tests.faults.data.planted import plant
    from tests.faults.data.tables import LARGE

    for table in LARGE[1:3]:
        rows = table.rows(0)
        sample = faults(table, rows)
        assert len(sample) >= 30
        found = plant(tmp_path / table.name, table, sample[::6], rows, smaller=False)
        assert [held.fault.name for held in found if not held.caught] == []


@pytest.mark.parametrize("name", ["mortgages", "inspections", "scorecard", "elections"])
def test_random_halves_raise_no_false_alarm(name: str, tmp_path: Path) -> None:
    from tests.faults.data.planted import alarms, untouched
    from tests.faults.data.tables import LARGE

    table = next(table for table in LARGE if table.name == name)
    assert [alarms(verdict) for verdict in untouched(tmp_path, table, range(2))] == [[], []]


@pytest.mark.parametrize("name", ["penguins", "titanic", "breast_cancer", "texts"])
def test_halves_of_a_small_table_are_blessed_or_inconclusive_with_the_rows_wanted(name: str, tmp_path: Path) -> None:
    from tests.faults.data.planted import alarms, untouched
    from tests.faults.data.tables import SMALL

    table = next(table for table in SMALL if table.name == name)
    (verdict,) = untouched(tmp_path, table, [0])
    assert alarms(verdict) == []
    unsure = [reason for reason in verdict.reasons if reason.outcome == "inconclusive"]
    assert unsure
    assert all("more would settle it" in reason.sentence for reason in unsure)


def test_the_bound_on_false_alarms_is_that_of_a_true_rate_of_1_percent() -> None:
    from tests.faults.data.rates import allowed_alarms

    assert [allowed_alarms(draws) for draws in (1, 300, 1000)] == [0, 7, 17]
