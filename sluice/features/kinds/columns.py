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
    """The columns of one trace of the graph, in order; each has a name of its own.

    Attributes:
        raw: the raw features: only the feature itself makes a column of its name.
        numbers: names to a float32 tensor of shape [batch, names].
        ids: name to its ids.
        taken: all names so far.
    """

    raw: frozenset[str] = frozenset()
    numbers: dict[tuple[str, ...], Any] = field(default_factory=dict)
    ids: dict[str, Ids] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def number(self, feature: str, values: Any, derived: str = "") -> None:
        """Add a number, shape [batch]: a feature's own, or one that is derived from it, ``<feature>_<derived>``."""
        self.numbers[(self._name(feature, derived),)] = values[:, None]

    def block(self, feature: str, values: Any, width: int) -> None:
        """Add numbers derived from a feature, shape [batch, width]: ``<feature>_0`` and on."""
        self.numbers[tuple(self._name(feature, str(index)) for index in range(width))] = values

    def category(self, feature: str, values: Any, size: int, embedding: int = 0, derived: str = "") -> None:
        """Add a category, shape [batch]; without an embedding's size it is by rule."""
        self.ids[self._name(feature, derived)] = Ids(values, size, embedding or min(50, round(1.6 * size**0.56)))

    def cross(self, name: str, values: Any, size: int, embedding: int = 0) -> None:
        """Add categories taken together, shape [batch]."""
        self.ids[self._free(name)] = Ids(values, size, embedding or min(50, round(1.6 * size**0.56)))

    def _name(self, feature: str, derived: str) -> str:
        if derived:
            return self._free(f"{feature}_{derived}")
        self.taken.add(feature)
        return feature

    def _free(self, name: str) -> str:
        """The name; with a number where a column has it: beside ``age`` there may be a column ``age_missing``."""
        free, number = name, 2
        while free in self.raw or free in self.taken:
            free, number = f"{name}_{number}", number + 1
        self.taken.add(free)
        return free


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
