"""Cron expressions: what is impossible is refused, and what is possible is read back as times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sluice.client.submission.cron import next_times, shown
from sluice.errors import SluiceError
from tests.client.services import Result

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "seconds", "message"),
    [
        ("99 77 * * 1", False, "no possible minute"),
        ("0 77 * * 1", True, "no possible hour"),
        ("0 3 * * DAY", False, "no possible day-of-week"),
        ("0 3 5-2 * *", False, "no possible day-of-month"),
        ("0 0 30 2 *", False, "no possible day-of-month|never comes"),
        ("weekly", True, "is no cron expression"),
        ("0 0 3 * * 1", False, "is no cron expression"),  # Vertex AI has no seconds
        ("0 3 * * 1L", True, "is no cron expression"),
        ("0 3 * * 1#2", True, "is no cron expression"),
        ("TZ=Europe/Berlin 0 3 * * 1", True, "schedules are in UTC"),
        ("TZ=Europe/Bern 0 3 * * 1", False, "no time zone is called 'Europe/Bern'"),
        ("", False, "is no cron expression"),
    ],
)
def test_what_is_impossible_is_refused(expression: str, seconds: bool, message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        next_times(expression, NOW, seconds=seconds)


@pytest.mark.parametrize(
    ("expression", "seconds", "times"),
    [
        ("0 3 * * 1", False, "Mon 2026-11-30 03:00 UTC, Mon 2026-12-07 03:00 UTC, Mon 2026-12-14 03:00 UTC"),
        ("30 0 3 * * MON", True, "Mon 2026-11-30 03:00 UTC, Mon 2026-12-07 03:00 UTC, Mon 2026-12-14 03:00 UTC"),
        ("*/30 12 * * *", True, "Fri 2026-11-27 12:30 UTC, Sat 2026-11-28 12:00 UTC, Sat 2026-11-28 12:30 UTC"),
        ("TZ=Europe/Berlin 0 3 1 4 *", False, "Thu 2027-04-01 03:00 CEST, Sat 2028-04-01 03:00 CEST, Sun 2029-04-01 03:00 CEST"),
    ],
)  # fmt: skip
def test_next_times(expression: str, seconds: bool, times: str) -> None:
    assert shown(next_times(expression, NOW, seconds=seconds)) == times


def test_an_impossible_schedule_is_not_sent(sluice: Callable[..., Result]) -> None:
    done = sluice("schedule", "kubeflow", "99 77 * * 1")
    assert done.code == 1
    assert done.out.startswith("sluice: CRON: '99 77 * * 1' has no possible minute")


@pytest.mark.parametrize(
    "command", [("cancel", "kubeflow", "r"), ("status", "kubeflow", "r"), ("logs", "kubeflow", "r")]
)
def test_kubeflow_without_a_host(
    sluice: Callable[..., Result], command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    done = sluice(*command)
    assert done.code == 1
    assert done.out == (
        "sluice: sluice.yaml: platform.kubeflow.host is not set, and there is no kubeconfig\n"
        "  set it there, or with --set platform.kubeflow.host=https://..."
    )
