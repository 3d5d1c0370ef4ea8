"""What every policy has in common."""

from __future__ import annotations

from sluice.config.base import Strict
from sluice.gates.verdict import Mode


class Policy(Strict):
    """A gate's policy: its mode, and in subclasses its rules.

    Attributes:
        mode: what a closed gate does to the run (see `Mode`).
    """

    mode: Mode = Mode.BLOCK
