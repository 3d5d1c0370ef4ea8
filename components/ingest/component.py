"""Ingest: from any table to split Parquet examples with a manifest."""

from kfp.dsl import Dataset, Output

from components.base import light


@light
def ingest(
    source: dict, examples: Output[Dataset], span: str = "", split: dict = {}, label: dict = {}, given_schema: str = ""
):
    """Read a table, divide its rows by a stable hash, by time or as they come, and write Parquet with a manifest.

    Args:
        source: where the data is, as `source` in sluice.yaml.
        span: the span or window to read, e.g. ``4``, ``2-4`` or ``20260131@2``; empty where the source has none.
        split: how rows are divided, as `split` in sluice.yaml.
        label: the label, as `label` in sluice.yaml; its column must be there.
        given_schema: text of a schema.pbtxt; its types go before those inferred from text.

    Returns:
        examples: ``<split>/part-*.parquet``, ``row_hashes/train.u64`` and ``examples.json``.
    """
    from sluice.stages import ingest as stage

    stage.run(source=source, split=split, span=span, label=label, given_schema=given_schema, examples=examples)
