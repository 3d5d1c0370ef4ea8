"""A cheap sample of the planted faults and of the halves; `make faults` runs them all."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.tf

SAMPLE = (
    "temperature in Celsius", "distance dropped", "a carrier renamed", "plane seats: missing as -1", "every row twice", "label shuffled",
    "label leaked into a feature", "rows of the future", "carrier as a code", "negative distances", "hours shuffled among the rows",
)  # fmt: skip


def test_planted_faults_are_caught_at_their_stated_sizes(tmp_path: Path, flights: Path) -> None:
    from tests.faults.data.planted import FAULTS, plant

    assert len(FAULTS) >= 40
    chosen = tuple(fault for fault in FAULTS if fault.name in SAMPLE)
    assert len(chosen) == len(SAMPLE)
    assert [found.fault.name for found in plant(tmp_path, chosen, smaller=False) if not found.caught] == []


def test_halves_of_one_month_do_not_cry_wolf(tmp_path: Path, flights: Path) -> None:
    from tests.faults.data.planted import wolves

    assert wolves(tmp_path, 8) == []
