"""Child processes that end with the command: each in a group of its own, which is interrupted, then killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

GRACE = 5.0
"""Seconds that an interrupted group has to clean up before it is killed."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedByError(KeyboardInterrupt):
    """A signal asked the command to end.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into `InterruptedByError`; later ones wait until all has been cleaned up."""

    def interrupt(number: int, _: object) -> None:
        for name in SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        raise InterruptedByError(number)

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_group(leader: subprocess.Popen[Any], grace: float = GRACE) -> None:
    """End the process group that a child leads (it was started with ``start_new_session``), and reap the child.

    Args:
        leader: the child.
        grace: seconds between the interrupt, on which Python's ``finally`` clauses run, and the kill.
    """
    deadline = time.monotonic() + grace
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGINT)
        while time.monotonic() < deadline:
            leader.poll()
            os.killpg(leader.pid, 0)
            time.sleep(0.05)
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
