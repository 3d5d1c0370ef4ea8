"""The journal under five writers, kills and pushes (tests/soak/journal.py): a short one; `make soak` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.soak import journal


def test_five_writers_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    done = journal.soak(tmp_path, lines=500, seed=15)
    assert done.lines == 500
    assert done.kills > 0
    assert done.pruned > 0
