"""Validate examples: compute statistics, settle the schema, gather the evidence, judge, report."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.examples import row_hashes
from sluice.gates.data.evidence import Anomaly, DataEvidence, Distribution, Extent, Presence, UnseenValues
from sluice.gates.data.judge import judge
from sluice.progress import progress
from sluice.statistics import labels
from sluice.statistics.artifact import SplitStatistics, Statistics, common_of, load_schema, name_of, save_schema
from sluice.statistics.compute import by_slice, compute, on_beam
from sluice.statistics.schema import anomalies, infer
from sluice.training.spec import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sluice.examples.dataset import Examples
    from sluice.features.spec import Features
    from sluice.gates.data.policy import DataPolicy
    from sluice.gates.verdict import Verdict
    from sluice.statistics.artifact import Histogram
    from sluice.statistics.compute import Computed

TRAIN = "train"
MAX_CLASSES = 20


def validate(
    examples: Examples, *, label: str, features: Features, policy: DataPolicy, schema: Path | None, baseline: Path | None,
    baseline_version: int | None, statistics_out: Path, schema_out: Path, report_out: Path, now: datetime | None = None,
    target: Label | None = None, weights: Sequence[str] = (),
) -> Verdict:  # fmt: skip
    """Judge an examples artifact.

    Args:
        examples: what is judged.
        label: the label's column; empty where there is none (data to be served).
        features: what a model will see; where empty, every column but the label.
        policy: the rules.
        schema: folder (or file) of a given schema or the champion's; None: one is inferred from the train split.
        baseline: folder of the statistics to compare with, the champion's; None where there is none.
        baseline_version: the champion's version.
        statistics_out: folder for the statistics.
        schema_out: folder for the schema.
        report_out: the HTML file to write.
        now: the time that freshness is held against; None: the clock's.
        target: the label as configured; None: by its column alone.
        weights: columns of row weights that later steps use, besides the policy's.
    """
    from sluice.report.data import write

    before = Statistics.load(baseline) if baseline else None
    columns = tuple(features.names()) or tuple(name for name in examples.manifest.columns if name != label)
    computed = {
        split: _statistics(examples, split, label, columns, features, policy, before)
        for split in examples.manifest.splits
    }
    statistics = Statistics({split: made.statistics for split, made in computed.items()})
    train = next(iter(computed)) if TRAIN not in computed else TRAIN
    agreed = load_schema(schema) if schema else infer(computed[train].statistics)
    save_schema(agreed, schema_out)
    row_hashes.keep(examples, statistics_out)
    statistics.save(statistics_out, examples, schema_out)
    evidence = _evidence(examples, statistics, agreed, label, columns, policy, now or datetime.now(UTC),
                         features.counted_as_text())  # fmt: skip
    told = _of_features(features, agreed, statistics.split(train), label, examples.manifest.columns)
    evidence = replace(evidence, notes=(*evidence.notes, *told))
    made = computed[train]
    evidence = replace(evidence, inferred=schema is None, alone=made.statistics.alone, held_out=made.held_out)
    if label in examples.manifest.columns:
        weighing = [*dict.fromkeys([*([policy.weight] if policy.weight else []), *weights])]
        found = labels.gather(examples, target or Label(column=label), train, weighing)
        evidence = replace(evidence, target=found)
    if before:
        evidence = _compared(evidence, made, before.split(TRAIN))
        evidence = replace(evidence, repetition_before=before.manifest.repetition if before.manifest else None)
    subjects = {
        "examples": examples.manifest.digest,
        "statistics": digest.of_tree(statistics_out),
        "schema": digest.of_tree(schema_out),
    }
    verdict = judge(
        evidence,
        policy,
        subjects=subjects,
        baseline=baseline_version if before else None,
        splits={split: examples.judged(split) for split in computed},
    )
    write(report_out, verdict, evidence, computed[train].statistics)
    return verdict


def _of_features(
    features: Features, schema: object, statistics: SplitStatistics, label: str, columns: Mapping[str, str]
) -> list[str]:
    """What a model will see of the columns, and what it will not; nothing of data without a label."""
    from sluice.features.infer import infer
    from sluice.features.notes import notes

    if not label:
        return []
    inferred = not features.names()
    if inferred:
        try:
            features = infer(schema, statistics, label, columns, features)
        except SluiceError as error:
            return [str(error)]
    return notes(features, columns, label, inferred=inferred)


def _statistics(
    examples: Examples, split: str, label: str, columns: tuple[str, ...], features: Features, policy: DataPolicy,
    before: Statistics | None,
) -> Computed:  # fmt: skip
    """One pass over a split; on Beam where the policy says so, with the exact counts beside it."""
    progress(f"statistics of {split}")
    first = split == TRAIN or TRAIN not in examples.manifest.splits
    edges = {k: h.edges for k, h in before.split(TRAIN).histograms.items()} if before and first else None
    categorical = features.counted_as_text()
    examples.files(split)  # checked once, before the shards are forked
    batches = functools.partial(examples.batches, split)
    made = compute(
        batches, categorical=categorical, edges=edges, label=label if first else "", features=columns,
        weight=policy.weight, tfdv=policy.beam is None, shards=policy.shards if first else 1,
    )  # fmt: skip
    slices: dict[str, Any] = {}
    for column in policy.slices if first else ():
        for proto in by_slice(batches, column, categorical=categorical, weight=policy.weight).values():
            while proto.name in slices:  # `a_b` is a value of `a`, and `a_b_c` one of both `a` and `a_b`
                proto.name += "_"
            slices[proto.name] = proto
    made = replace(made, statistics=replace(made.statistics, slices=slices))
    if policy.beam is None:
        return made
    proto = on_beam(examples.files(split), categorical=categorical, beam_options=policy.beam, weight=policy.weight)
    return replace(made, statistics=replace(made.statistics, proto=proto))


def _evidence(
    examples: Examples, statistics: Statistics, schema: object, label: str, columns: tuple[str, ...], policy: DataPolicy,
    now: datetime, as_text: set[str],
) -> DataEvidence:  # fmt: skip
    manifest = examples.manifest
    train = statistics.splits.get(TRAIN) or next(iter(statistics.splits.values()))
    environment = "TRAINING" if label else "SERVING"
    found: list[Anomaly] = []
    sampled: list[UnseenValues | Presence] = []
    for split, held in statistics.splits.items():
        anomalous, compared = anomalies(held, schema, split, environment, as_text)
        found += anomalous
        sampled += compared
    wanted = [*columns, label] if label else list(columns)
    absent = [name for name in wanted if name not in manifest.columns]
    told = {a.feature for a in found if a.kind == "SCHEMA_MISSING_COLUMN"}
    found += [
        Anomaly(name, "SCHEMA_MISSING_COLUMN", TRAIN, "the column is not in the data; sluice.yaml names it")
        for name in absent
        if name not in told
    ]
    facts = {name_of(feature): feature for feature in train.proto.features}
    classes = class_counts(train, label) if label and label not in absent else {}
    time_column = policy.freshness.column if policy.freshness else ""
    age = {}
    if time_column in facts and manifest.columns.get(time_column, "").startswith("timestamp"):
        age[time_column] = (now.timestamp() - facts[time_column].num_stats.max) / 86_400
    return DataEvidence(
        rows={name: split.rows for name, split in manifest.splits.items()}, label=label,
        label_values=distinct_values(facts[label]) if label in facts else 2 if not label else 0, classes=classes,
        features=columns, missing={name: missing_share(facts[name]) for name in columns if name in facts},
        shared=manifest.shared, duplicates=None if manifest.duplicates is None else manifest.duplicates / max(1, manifest.rows_in),
        extents={name: Extent(f.num_stats.min, f.num_stats.max) for name, f in facts.items() if has_numbers(f)},
        age=age, anomalies=tuple(found), unseen=tuple(s for s in sampled if isinstance(s, UnseenValues)),
        presence=tuple(s for s in sampled if isinstance(s, Presence)), rows_in=manifest.rows_in,
        quarantined=manifest.quarantined, left_out=manifest.left_out, notes=tuple(manifest.notes()),
    )  # fmt: skip


def missing_share(feature: Any) -> float:
    """Fraction of the rows without a value."""
    common = common_of(feature)
    return common.num_missing / max(1, common.num_missing + common.num_non_missing)


def has_numbers(feature: Any) -> bool:
    """Whether it is a number that some row has."""
    return bool(feature.HasField("num_stats") and common_of(feature).num_non_missing)


def distinct_values(feature: Any) -> int:
    """Distinct values of a text; of a number, whether there is more than one: 1 or 2."""
    if feature.HasField("string_stats"):
        return int(feature.string_stats.unique)
    return 1 + int(feature.num_stats.max > feature.num_stats.min)


def class_counts(train: SplitStatistics, label: str) -> dict[str, int]:
    """Rows by class of a label of few values: texts as TFDV counted them, whole numbers by their exact histogram."""
    feature = train.feature(label)
    if feature.HasField("string_stats"):
        ranked = {b.label: int(b.sample_count) for b in feature.string_stats.rank_histogram.buckets}
        return ranked if len(ranked) <= MAX_CLASSES else {}
    histogram = train.histograms.get(label)
    if (
        histogram is None
        or len(histogram.counts) > MAX_CLASSES
        or not all(float(e).is_integer() for e in histogram.edges)
    ):
        return {}
    ends = [*histogram.edges, feature.num_stats.max]
    return {f"up to {end:g}": count for end, count in zip(ends, histogram.counts, strict=True) if count}


def _compared(evidence: DataEvidence, made: Computed, before: SplitStatistics) -> DataEvidence:
    """Add the distributions that both data sets have: exact counts over the baseline's bins, or over all values."""
    distributions = []
    then = {name_of(feature): feature for feature in before.proto.features}
    now = {name_of(feature): feature for feature in made.statistics.proto.features}
    for name in (*evidence.features, *([evidence.label] if evidence.label else [])):
        if name not in then or name not in now:
            continue
        if name in made.aligned and name in before.histograms:
            ours, theirs = made.aligned[name], before.histograms[name]
            distributions.append(Distribution(name, _counts(ours), _counts(theirs)))
        elif then[name].HasField("string_stats") and now[name].HasField("string_stats"):
            distributions.append(category_counts(name, now[name], then[name]))
    return replace(evidence, distributions=tuple(distributions), alone_before=before.alone)


def _counts(histogram: Histogram) -> tuple[int, ...]:
    return (*histogram.counts, histogram.missing)


def category_counts(name: str, now: Any, then: Any) -> Distribution:
    """Rows by value in both, the missing last."""

    def counts(feature: Any) -> dict[str, int]:
        ranked = {b.label: int(b.sample_count) for b in feature.string_stats.rank_histogram.buckets}
        return {**ranked, "": ranked.get("", 0) + int(common_of(feature).num_missing)}

    current, baseline = counts(now), counts(then)
    values = sorted({*current, *baseline}, key=lambda value: (not value, value))  # the missing, as empty text, last
    return Distribution(
        name, tuple(current.get(v, 0) for v in values), tuple(baseline.get(v, 0) for v in values), categories=True
    )
