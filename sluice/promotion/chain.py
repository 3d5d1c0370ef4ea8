"""Finding the newest of numbered objects in a store, from a hint that is trusted in nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sluice import digest
from sluice.errors import first_line
from sluice.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.storage import Store


def read_hint(store: Store, key: str) -> int:
    """The number in a hint; 0 where there is none that can be read."""
    try:
        return max(0, int(json.loads(store.get(key))["number"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0


def write_hint(store: Store, key: str, number: int) -> None:
    """Leave a hint. What it points to is written already: a hint that fails is reported and costs a few reads."""
    try:
        store.put(key, digest.canonical_json({"number": number}))
    except Exception as error:
        progress(f"number {number} is written, the hint {key} is not: {first_line(error)}")


def newest(hint: int, exists: Callable[[int], bool], numbers: Callable[[], list[int]]) -> int:
    """The highest number that is there; 0 where there is none.

    Args:
        hint: where it was seen last; 0 for no hint.
        exists: whether a number is there; numbers have no gaps but at the start.
        numbers: all numbers, ascending, for a hint that is wrong.
    """
    if not hint or not exists(hint):
        known = numbers()
        return known[-1] if known else 0
    step = 1
    while exists(hint + step):
        hint, step = hint + step, 2 * step
    while step := step // 2:
        if exists(hint + step):
            hint += step
    return hint
