"""Transform: a preprocessing model set from the statistics, and the examples it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.examples.dataset import Examples
from sluice.features.spec import Features
from sluice.stages.runtime import DIGEST, Artifact, parse, record, stage, taken, taken_examples
from sluice.training.spec import Label


@stage
def run(
    *,
    examples: Artifact,
    statistics: Artifact,
    schema: Artifact,
    features: dict[str, Any],
    label: dict[str, Any],
    preprocessing: Artifact,
    transformed: Artifact,
) -> None:
    """Build the preprocessing and apply it once to every split."""
    from sluice.features import notes
    from sluice.features.transform import transform

    read = Examples.load(taken_examples(examples))
    target = parse(Label, label, "label")
    listed, used = transform(
        read,
        statistics=taken(statistics, "statistics", "validate"),
        schema=taken(schema, "schema", "validate"),
        features=parse(Features, features, "features"),
        label=target,
        preprocessing_out=Path(preprocessing.path),
        transformed_out=Path(transformed.path),
    )
    preprocessing.metadata.update(
        left_out=notes.left_out(used, read.manifest.columns, target.column),
        **{f"features_{kind}": len(names) for kind, names in notes.by_kind(used).items()},
    )
    record(preprocessing)
    # Its arrays were hashed as they were listed.
    transformed.metadata[DIGEST] = listed.tree_digest(Path(transformed.path))
