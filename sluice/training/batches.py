"""Which rows a step sees: a seeded order, rows held back to look at, and their share among workers.

Nothing here grows with the data beyond a stated bound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE = 1 << 22
"""Up to so many rows an epoch is one permutation; beyond, blocks are permuted, and rows within so many of them."""
BLOCK = 1 << 10
LOOK = 20_000
"""At most so many of the rows held back are looked at, evenly spread."""
PASS = 1 << 20
"""Rows that a pass over a mapped column holds at once."""


class Cut:
    """The train split, of which every so many-th row is held back.

    Attributes:
        held: number of rows held back.
        rows: number of rows left to train on.
    """

    def __init__(self, rows: int, fraction: float) -> None:
        self._every = round(1 / fraction) if fraction else 0
        self.held = rows // self._every if self._every else 0
        self.rows = rows - self.held

    def trained(self, positions: np.ndarray) -> np.ndarray:
        """From positions among the rows left to positions in the split."""
        return positions + positions // (self._every - 1) if self._every else positions

    def looked_at(self) -> np.ndarray:
        """Positions in the split of the rows held back that are looked at, ascending."""
        return (
            np.unique(np.linspace(0, self.held - 1, min(self.held, LOOK)).astype(np.int64)) * self._every
            + self._every
            - 1
        )


def order(rows: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Positions of the next batch, shape [batch]; every epoch holds every row once, in another order; epochs joined."""
    random = np.random.default_rng(seed)
    left = np.empty(0, np.int64)
    size = min(batch_size, rows)
    parts = _parts(rows, random)
    while True:
        while len(left) < size:
            left = np.concatenate([left, next(parts)])
        yield left[:size]
        left = left[size:]


def _parts(rows: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Epochs, each in parts of at most `WHOLE` rows."""
    while True:
        if rows <= WHOLE:
            yield random.permutation(rows)
            continue
        blocks = random.permutation(-(-rows // BLOCK))
        for some in np.array_split(blocks, -(-rows // WHOLE)):
            inside = (some[:, None] * BLOCK + np.arange(BLOCK)).ravel()
            yield random.permutation(inside[inside < rows])


def passed(column: np.ndarray) -> Iterator[np.ndarray]:
    """A mapped column, some rows at a time."""
    return (column[start : start + PASS] for start in range(0, len(column), PASS))


def moments(column: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation (1 for a constant), in two passes."""
    mean = sum(float(part.sum(dtype=np.float64)) for part in passed(column)) / len(column)
    squares = sum(float(np.square(part - mean, dtype=np.float64).sum()) for part in passed(column))
    return mean, math.sqrt(squares / len(column)) or 1.0
