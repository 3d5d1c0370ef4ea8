"""What kinds have in common: the columns that they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.models.manifest import RawType


@dataclass(frozen=True)
class Ids:
    """A column of ids.

    Attributes:
        values: integers from 0, shape [batch].
        size: how many ids there are.
        embedding: size of the embedding in deep models.
    """

    values: Any
    size: int
    embedding: int


@dataclass(frozen=True)
class Columns:
    """The columns of one trace of the graph, in order.

    Attributes:
        numbers: names to a float32 tensor of shape [batch, names].
        ids: name to its ids.
    """

    numbers: dict[tuple[str, ...], Any] = field(default_factory=dict)
    ids: dict[str, Ids] = field(default_factory=dict)

    def number(self, name: str, values: Any) -> None:
        """Add a number, shape [batch]."""
        self.numbers[(name,)] = values[:, None]

    def category(self, name: str, values: Any, size: int, embedding: int = 0) -> None:
        """Add a category, shape [batch]; without an embedding's size it is by rule."""
        self.ids[name] = Ids(values, size, embedding or min(50, round(1.6 * size**0.56)))


@dataclass(frozen=True)
class Step:
    """One feature's part of the graph.

    Attributes:
        raw: the raw features that it takes.
        make: adds its columns, given all raw features as tensors of shape [batch].
        kept: lookup tables, which the export has to hold on to.
    """

    raw: dict[str, RawType]
    make: Callable[[Mapping[str, Any], Columns], None]
    kept: tuple[Any, ...] = ()
