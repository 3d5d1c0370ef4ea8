"""The planted models get the verdict that is right, and error rates hold on a cheap sample; `make faults` runs it all."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.tf


def test_every_planted_model_gets_the_right_verdict() -> None:
    from tests.faults.model.planted import cases, policy

    law = policy()
    wrong = {case.name: str(status) for case in cases() if (status := case.verdict(law).status) not in case.right}
    assert wrong == {}


def test_a_model_worse_by_the_margin_is_rarely_blessed_and_a_better_one_never_refused() -> None:
    from tests.faults.model.simulate import rates

    worse, _, better = rates("log_loss", 0.01, draws=120, rows=2000, resamples=200)
    assert worse.blessed <= 0.05 + 2 * (0.05 * 0.95 / 120) ** 0.5
    assert better.refused <= 0.01
    assert better.blessed > 0.8
    for found in (worse, better):
        assert abs(found.coverage - 0.95) <= 0.01 + 2 * (0.95 * 0.05 / 120) ** 0.5
