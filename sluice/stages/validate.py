"""Validate: statistics, schema, and the data gate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.examples.dataset import Examples
from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.stages.runtime import Artifact, Gate, close, parse, present, record, stage, taken_examples
from sluice.statistics.artifact import SCHEMA_FILE
from sluice.training.spec import Label

if TYPE_CHECKING:
    from collections.abc import Sequence


@stage
def run(
    *,
    examples: Artifact,
    champion_statistics: Artifact,
    champion_schema: Artifact,
    champion_version: int,
    label: dict[str, Any],
    features: dict[str, Any],
    policy: dict[str, Any],
    statistics: Artifact,
    schema: Artifact,
    verdict: Artifact,
    report: Artifact,
    given_schema: str = "",
    run_page: str = "",
    weights: Sequence[str] = (),
) -> Gate:
    """Judge the examples against the schema, the policy and the champion's statistics."""
    from sluice.statistics.validate import validate

    agreed = present(champion_schema, "champion_schema")
    if given_schema:
        Path(schema.path).mkdir(parents=True, exist_ok=True)
        agreed = Path(schema.path)
        (agreed / SCHEMA_FILE).write_text(given_schema)
    target = parse(Label, label, "label")
    judged = validate(
        Examples.load(taken_examples(examples)),
        label=target.column,
        target=target,
        weights=weights,
        features=parse(Features, features, "features"),
        policy=parse(DataPolicy, policy, "policy"),
        schema=agreed,
        baseline=present(champion_statistics, "champion_statistics"),
        baseline_version=champion_version or None,
        statistics_out=Path(statistics.path),
        schema_out=Path(schema.path),
        report_out=Path(report.path),
    )
    record(statistics, schema, report)
    return close(judged, verdict, run_page)
