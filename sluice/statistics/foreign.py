"""Statistics that another framework computed, judged as they are: TFX's ``FeatureStats.pb``, TFDV's files of any kind.

They hold no rows. What needs them (duplicates, rows in two splits, a feature against the label, exact counts of numbers)
is not judged; that numbers are not compared with a baseline is reported.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.data.evidence import DataEvidence, Extent, Presence, UnseenValues
from sluice.gates.data.judge import judge
from sluice.statistics.artifact import STATISTICS_FILE, SplitStatistics, load_schema, name_of, save_schema
from sluice.statistics.schema import anomalies, infer
from sluice.statistics.validate import (
    TRAIN,
    category_counts,
    class_counts,
    distinct_values,
    has_numbers,
    missing_share,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.features.spec import Features
    from sluice.gates.data.policy import DataPolicy
    from sluice.gates.verdict import Verdict

REMEDY = (
    f"give {STATISTICS_FILE} of TFX, what tfdv.write_stats_text wrote (.pbtxt), or the folder of a statistics artifact"
)


def read(place: Path) -> dict[str, SplitStatistics]:
    """Statistics by split: ``Split-eval/FeatureStats.pb`` is that of ``eval``; a file by itself that of ``train``.

    Raises:
        SluiceError: it is not there, or holds no statistics.
    """
    files = {TRAIN: place} if place.is_file() else {
        file.parent.name.removeprefix("Split-"): file for file in sorted(place.glob(f"*/{STATISTICS_FILE}"))
    }  # fmt: skip
    if not files:
        raise SluiceError("no such statistics", where=str(place), remedy=REMEDY)
    return {split: _read(file) for split, file in files.items()}


def _read(file: Path) -> SplitStatistics:
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError
    from tensorflow_metadata.proto.v0 import statistics_pb2

    held = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        if file.suffix == ".pbtxt":
            text_format.Parse(file.read_text(), held)
        else:
            held.ParseFromString(file.read_bytes())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise SluiceError(f"not statistics: {error}", where=str(file), remedy=REMEDY) from None
    if not held.datasets:
        raise SluiceError("not statistics: it holds no data set", where=str(file), remedy=REMEDY)
    return SplitStatistics(held.datasets[0], {})  # slices follow the whole


def judge_statistics(
    place: Path, *, label: str, features: Features, policy: DataPolicy, schema: Path | None, baseline: Path | None,
    schema_out: Path, report_out: Path,
) -> Verdict:  # fmt: skip
    """Judge statistics by a policy.

    Args:
        place: a file or a folder of splits, as `read` takes it.
        label: the label's column; empty where there is none.
        features: what a model will see; where empty, every column but the label.
        policy: the rules.
        schema: a ``schema.pbtxt`` or its folder; None: one is inferred, of the baseline where there is one.
        baseline: statistics to compare with; None where there are none.
        schema_out: folder for the schema.
        report_out: the HTML file to write.
    """
    from sluice.report.data import write

    splits = read(place)
    before = _first(read(baseline)) if baseline else None
    train = _first(splits)
    agreed = load_schema(schema) if schema else infer(before or train)
    save_schema(agreed, schema_out)
    evidence = _evidence(splits, train, before, agreed, label, features)
    evidence = replace(evidence, inferred=schema is None and before is None)
    subjects = {
        "statistics": digest.of_file(place) if place.is_file() else digest.of_tree(place),
        "schema": digest.of_tree(schema_out),
    }
    verdict = judge(evidence, policy, subjects=subjects, baseline=0 if before else None)
    write(report_out, verdict, evidence, train)
    return verdict


def _first(splits: dict[str, SplitStatistics]) -> SplitStatistics:
    return splits.get(TRAIN) or next(iter(splits.values()))


def _evidence(
    splits: dict[str, SplitStatistics], train: SplitStatistics, before: SplitStatistics | None, schema: Any, label: str,
    features: Features,
) -> DataEvidence:  # fmt: skip
    held = {name_of(feature): feature for feature in train.proto.features}
    columns = tuple(features.names()) or tuple(name for name in held if name != label)
    as_text, found, sampled = features.counted_as_text(), [], []
    for split, statistics in splits.items():
        anomalous, compared = anomalies(statistics, schema, split, "TRAINING" if label else "SERVING", as_text)
        found += anomalous
        sampled += compared
    then = {name_of(feature): feature for feature in before.proto.features} if before else {}
    both = [name for name in (*columns, *([label] if label else [])) if name in held and name in then]
    texts = [name for name in both if held[name].HasField("string_stats") and then[name].HasField("string_stats")]
    return DataEvidence(
        rows={split: int(statistics.proto.num_examples) for split, statistics in splits.items()}, label=label,
        label_values=distinct_values(held[label]) if label in held else 2 if not label else 0,
        classes=class_counts(train, label) if label in held else {}, features=columns,
        missing={name: missing_share(held[name]) for name in columns if name in held}, anomalies=tuple(found),
        extents={name: Extent(f.num_stats.min, f.num_stats.max) for name, f in held.items() if has_numbers(f)},
        distributions=tuple(category_counts(name, held[name], then[name]) for name in texts),
        uncompared=tuple(name for name in both if name not in texts),
        unseen=tuple(s for s in sampled if isinstance(s, UnseenValues)),
        presence=tuple(s for s in sampled if isinstance(s, Presence)),
    )  # fmt: skip
