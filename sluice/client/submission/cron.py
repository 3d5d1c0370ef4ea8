"""Cron expressions: checked before a service gets them, and read back as times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from sluice.errors import SluiceError

ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)")
"""Vertex AI takes a time zone before the expression."""
ALLOWED = re.compile(r"(?:\d+|[A-Za-z]{3}|[*,/\- ])+")
"""Numbers, names of days and months, and what stands between them: what both services take."""
REMEDY = "minute, hour, day, month, weekday: '0 3 * * 1' is Mondays at three"
SHOWN = 3


def next_times(expression: str, now: datetime, *, seconds: bool) -> list[datetime]:
    """The next times that an expression names.

    Args:
        expression: five fields; with `seconds` six as well, the first of them seconds; without, a time zone may stand before
            them (``TZ=Europe/Berlin 0 3 * * 1``).
        now: times are after this one.
        seconds: whether the service's expressions have seconds (Kubeflow), or zones (Vertex AI).

    Raises:
        SluiceError: it is no cron expression that the service takes, or names no time.
    """
    zone, fields = _zone(expression, seconds=seconds)
    if len(fields.split()) not in ((5, 6) if seconds else (5,)) or not ALLOWED.fullmatch(fields):
        raise SluiceError(f"{expression!r} is no cron expression", where="CRON", remedy=REMEDY)
    try:
        times = list(islice(CronSim(fields, now.astimezone(zone)), SHOWN))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise SluiceError(f"{expression!r} has no possible {field}", where="CRON", remedy=REMEDY) from None
    if not times:
        raise SluiceError(f"{expression!r} names a time that never comes", where="CRON", remedy=REMEDY)
    return times


def _zone(expression: str, *, seconds: bool) -> tuple[tzinfo, str]:
    """The zone that stands before the fields, UTC for none, and the fields."""
    if (found := ZONE.fullmatch(expression.strip())) is None:
        return UTC, expression
    if seconds:
        raise SluiceError("Kubeflow's schedules are in UTC", where="CRON", remedy=f"leave out the time zone {found[1]}")
    try:
        return ZoneInfo(found[1]), found[2]
    except (ZoneInfoNotFoundError, ValueError):
        raise SluiceError(
            f"no time zone is called {found[1]!r}", where="CRON", remedy="e.g. TZ=Europe/Berlin"
        ) from None


def shown(times: list[datetime]) -> str:
    """Times for a person."""
    return ", ".join(f"{time:%a %Y-%m-%d %H:%M} {time.tzname()}" for time in times)
