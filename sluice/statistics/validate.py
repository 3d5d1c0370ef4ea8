"""Validate examples: compute statistics, settle the schema, gather the evidence, judge, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import digest
from sluice.gates.data.evidence import Anomaly, DataEvidence, Distribution
from sluice.gates.data.judge import judge
from sluice.progress import progress
from sluice.statistics.artifact import SplitStatistics, Statistics, common_of, load_schema, name_of, save_schema
from sluice.statistics.compute import compute
from sluice.statistics.schema import anomalies, infer

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.examples.dataset import Examples
    from sluice.features.spec import Features
    from sluice.gates.data.policy import DataPolicy
    from sluice.gates.verdict import Verdict
    from sluice.statistics.artifact import Histogram

TRAIN = "train"


def validate(
    examples: Examples, *, label: str, features: Features, policy: DataPolicy, schema: Path | None,
    baseline: Path | None, baseline_version: int | None, statistics_out: Path, schema_out: Path, report_out: Path,
) -> Verdict:  # fmt: skip
    """Judge an examples artifact.

    Args:
        examples: what is judged.
        label: the label's column.
        features: what a model will see; where empty, every column but the label.
        policy: the rules.
        schema: folder of a given schema or the champion's; None: one is inferred from the train split.
        baseline: folder of the statistics to compare with, the champion's; None where there is none.
        baseline_version: the champion's version.
        statistics_out: folder for the statistics.
        schema_out: folder for the schema.
        report_out: the HTML file to write.
    """
    from sluice.report.data import write

    before = Statistics.load(baseline) if baseline else None
    edges = {k: h.edges for k, h in before.split(TRAIN).histograms.items()} if before else None
    categorical = {item.name for item in features.categorical}
    splits: dict[str, SplitStatistics] = {}
    aligned: dict[str, Histogram] = {}
    for split in examples.manifest.splits:
        progress(f"statistics of {split}")
        splits[split], histograms = compute(
            examples.batches(split), categorical=categorical, edges=edges if split == TRAIN else None
        )
        aligned |= histograms
    statistics = Statistics(splits)
    statistics.save(statistics_out)
    agreed = load_schema(schema) if schema else infer(splits[TRAIN])
    save_schema(agreed, schema_out)
    evidence = _evidence(examples, statistics, agreed, label, features, inferred=schema is None)
    if before:
        evidence = _compared(evidence, statistics.split(TRAIN), before.split(TRAIN), aligned)
    subjects = {
        "examples": examples.manifest.digest,
        "statistics": digest.of_tree(statistics_out),
        "schema": digest.of_tree(schema_out),
    }
    verdict = judge(evidence, policy, subjects=subjects, baseline=baseline_version if before else None)
    write(report_out, verdict, evidence, statistics.split(TRAIN))
    return verdict


def _evidence(
    examples: Examples, statistics: Statistics, schema: object, label: str, features: Features, *, inferred: bool
) -> DataEvidence:
    train = statistics.split(TRAIN)
    columns = tuple(features.names()) or tuple(name for name in examples.manifest.columns if name != label)
    found: list[Anomaly] = [
        anomaly for split, facts in statistics.splits.items() for anomaly in anomalies(facts, schema, split)
    ]
    absent = [name for name in (*columns, label) if name not in examples.manifest.columns]
    found += [
        Anomaly(name, "SCHEMA_MISSING_COLUMN", TRAIN, "the column is not in the data; sluice.yaml names it")
        for name in absent
        if not any(a.feature == name and a.kind == "SCHEMA_MISSING_COLUMN" for a in found)
    ]
    missing = {}
    for name in columns:
        if name not in absent:
            seen = common_of(train.feature(name))
            missing[name] = seen.num_missing / max(1, seen.num_missing + seen.num_non_missing)
    return DataEvidence(
        rows={name: facts.rows for name, facts in examples.manifest.splits.items()},
        label=label, label_values=0 if label in absent else _distinct(train, label),
        features=columns, missing=missing, anomalies=tuple(found), inferred=inferred,
    )  # fmt: skip


def _distinct(statistics: SplitStatistics, label: str) -> int:
    feature = statistics.feature(label)
    if feature.HasField("string_stats"):
        return int(feature.string_stats.unique)
    return 1 + int(feature.num_stats.max > feature.num_stats.min)


def _compared(
    evidence: DataEvidence, current: SplitStatistics, before: SplitStatistics, aligned: dict[str, Histogram]
) -> DataEvidence:
    """Add the distributions that both data sets have: exact counts over the baseline's bins, or over all values."""
    from dataclasses import replace

    distributions = []
    present = {name_of(feature) for feature in before.proto.features}
    absent = {anomaly.feature for anomaly in evidence.anomalies if anomaly.kind == "SCHEMA_MISSING_COLUMN"}
    for name in (*evidence.features, evidence.label):
        if name not in present or name in absent:
            continue
        if name in aligned and name in before.histograms:
            now, then = aligned[name], before.histograms[name]
            distributions.append(Distribution(name, (*now.counts, now.missing), (*then.counts, then.missing)))
        elif before.feature(name).HasField("string_stats") and current.feature(name).HasField("string_stats"):
            distributions.append(_categories(name, current, before))
    return replace(evidence, distributions=tuple(distributions))


def _categories(name: str, current: SplitStatistics, before: SplitStatistics) -> Distribution:
    def counts(statistics: SplitStatistics) -> dict[str, int]:
        feature = statistics.feature(name)
        ranked = {b.label: int(b.sample_count) for b in feature.string_stats.rank_histogram.buckets}
        return {**ranked, "": ranked.get("", 0) + int(common_of(feature).num_missing)}

    now, then = counts(current), counts(before)
    values = sorted({*now, *then}, key=lambda value: (not value, value))  # the missing, as empty text, last
    return Distribution(name, tuple(now.get(v, 0) for v in values), tuple(then.get(v, 0) for v in values))
