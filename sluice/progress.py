"""What a stage tells while it works: one short line at a time, shown live by `sluice run`, kept in a cluster's logs."""

from __future__ import annotations

import sys

MARK = "· "


def progress(message: str) -> None:
    """Say what happens now, e.g. ``progress("step 200 of 500, loss 0.412")``."""
    print(f"{MARK}{message}", file=sys.stderr, flush=True)  # noqa: T201 - this is the way out
