"""The rates that are asked of the data gate."""

from __future__ import annotations

import math

CAUGHT = 0.95
"""Of the planted faults, on each table."""
FALSE_ALARMS = 0.01
"""Of the draws of untouched rows, on each table."""


def allowed_alarms(draws: int) -> int:
    """The 97.5 % bound of a true rate of 1 %: as many false alarms as so many draws may show; 7 of 300."""
    below = 0.0
    for alarms in range(draws + 1):
        below += math.comb(draws, alarms) * FALSE_ALARMS**alarms * (1 - FALSE_ALARMS) ** (draws - alarms)
        if below >= 0.975:
            return alarms
    return draws
