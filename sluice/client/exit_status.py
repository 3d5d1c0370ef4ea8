"""Exit statuses of the `sluice` command: the same number means the same thing in every command."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a command ends with; 128 + n stands for the signal n that ended it (130: Ctrl-C)."""

    DONE = 0
    """Done: blessed, promoted, started, found in order."""
    MISTAKE = 1
    """A mistake in what was given; nothing was started."""
    USAGE = 2
    """An option or argument that does not exist, or has a value it cannot take."""
    NOT_BLESSED = 3
    """A gate says NOT_BLESSED, or the pusher refused."""
    INCONCLUSIVE = 4
    """No gate says NOT_BLESSED, and one says INCONCLUSIVE."""
    FAILED = 5
    """A step failed, or a destination did and the promotion was withdrawn."""
    CANCELLED = 6
    """A run on a service was cancelled."""
    TRY_AGAIN = 7
    """A service or a store cannot be reached or has no room: the same command may succeed later."""


OF_VERDICT = {
    "BLESSED": ExitStatus.DONE,
    "NOT_BLESSED": ExitStatus.NOT_BLESSED,
    "INCONCLUSIVE": ExitStatus.INCONCLUSIVE,
}
"""Status of a verdict to the exit status of the command that judged."""
