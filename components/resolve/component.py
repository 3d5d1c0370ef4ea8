"""Resolve: which champion to compare with, and which span to read."""

from typing import NamedTuple

from kfp.dsl import Artifact, Model, Output

from components.base import light


@light
def resolve(
    ledger: str,
    source: dict,
    span: str,
    model: Output[Model],
    statistics: Output[Artifact],
    schema: Output[Artifact],
) -> NamedTuple("Resolved", [("version", int), ("span", str)]):
    """Fetch the champion that the ledger names, and settle which span a run reads.

    Where the ledger has no promotion yet, the three artifacts hold a ``none.json`` and the version is 0. Never cache
    this step: its answer changes with the ledger.

    Args:
        ledger: URI of the ledger.
        source: the source, as `source` in sluice.yaml.
        span: ``4``, ``2-4``, ``latest``, or ``next``: the window after the one that the ledger judged last.

    Returns:
        model: The champion's model.
        statistics: The statistics it was trained on.
        schema: The schema it was trained on.
        version: The champion's version; 0 where there is none.
        span: The span in explicit form, e.g. ``2-4``.
    """
    from sluice.stages import resolve as stage

    return stage.run(ledger=ledger, source=source, span=span, model=model, statistics=statistics, schema=schema)
