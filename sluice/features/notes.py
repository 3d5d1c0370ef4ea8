"""Which features a model sees, and which columns none does, in sentences for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.features.spec import Features

NAMED = 20
"""Columns that a sentence names at most."""
KINDS = ("numeric", "categorical", "boolean", "datetime", "text")


def by_kind(features: Features) -> dict[str, list[str]]:
    """Kind to the columns of that kind; kinds without one are left out."""
    kinds = {kind: [item.name for item in getattr(features, kind)] for kind in KINDS}
    return {kind: names for kind, names in kinds.items() if names}


def left_out(features: Features, columns: Iterable[str], label: str) -> list[str]:
    """Columns that are neither feature nor label, in their order."""
    used = {*features.names(), *features.preprocess.columns, label}
    return [name for name in columns if name not in used]


def notes(features: Features, columns: Iterable[str], label: str, *, inferred: bool) -> list[str]:
    """What was inferred, and what no feature uses.

    Args:
        features: what the model sees.
        columns: the columns of the examples.
        label: the label's column.
        inferred: whether the features were inferred.
    """
    told = []
    if inferred:
        told.append(
            "features inferred: " + "; ".join(f"{kind} {_listed(names)}" for kind, names in by_kind(features).items())
        )
    if without := left_out(features, columns, label):
        told.append(f"columns that no feature uses: {_listed(without)}")
    return told


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
