"""What a suite needs once, whatever the number of its workers: who asks first starts it, and ends it last."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def shared(
    factory: pytest.TempPathFactory, name: str, start: Callable[[], AbstractContextManager[Any]]
) -> Iterator[Any]:
    """Enter a context once for all workers of this suite (pytest-xdist), or for this process if it has none.

    Args:
        factory: pytest's, whose folders tell which workers belong together.
        name: of what is shared.
        start: gives the context. What it yields goes to all workers, as JSON.

    Yields:
        What the context yielded.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with start() as made:
            yield made
        return
    folder = factory.getbasetemp().parent
    told = folder / f"{name}.json"
    with (folder / f"{name}.users").open("a") as users:
        with _alone(folder, name):
            context = None if told.exists() else start()
            if context is not None:
                told.write_text(json.dumps(context.__enter__()))
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield json.loads(told.read_text())
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            while context is not None:
                with _alone(folder, name):
                    if _unused(users):
                        told.unlink()
                        context.__exit__(None, None, None)
                        context = None
                time.sleep(0.05)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """While nobody else starts, joins or ends it."""
    with (folder / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unused(users: Any) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
