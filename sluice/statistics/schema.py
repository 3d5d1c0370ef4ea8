"""Schemas: inferred from statistics, and what departs from them, both by TFDV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.gates.data.evidence import Anomaly, Presence, UnseenValues
from sluice.statistics.artifact import name_of
from sluice.statistics.inferred import compared, counts_of, domain_of, mark, was_inferred

if TYPE_CHECKING:
    from collections.abc import Collection

    from sluice.statistics.artifact import SplitStatistics

MAX_DOMAIN = 200


def infer(statistics: SplitStatistics) -> Any:
    """A first schema from the train split's statistics.

    Looser than TFDV's own where a sample says too much (`sluice.statistics.inferred`): of a category's values 99 %
    must be known ones (not all), a column may be missing five percentage points more often than it was seen to be, and
    both allow for what chance explains at the sizes that each feature carries. Texts of up to 200 values have a list of
    them, also those in which TFDV sees booleans or numbers.
    """
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = tfdv.infer_schema(_listed(statistics), infer_feature_shape=False, max_string_domain_size=MAX_DOMAIN)
    for feature in schema.feature:
        column = statistics.feature(feature.name)
        values = sorted(counts_of(column)) if column.HasField("string_stats") else []
        guessed = feature.HasField("bool_domain") or feature.HasField("int_domain")
        if feature.type == schema_pb2.BYTES and guessed and 0 < len(values) <= MAX_DOMAIN:
            feature.ClearField("bool_domain")
            feature.ClearField("int_domain")
            feature.string_domain.value.extend(values)
        mark(feature, column, domain_of(feature, schema))
    return schema


def anomalies(
    statistics: SplitStatistics, schema: Any, split: str, environment: str = "TRAINING", as_text: Collection[str] = ()
) -> tuple[list[Anomaly], list[UnseenValues | Presence]]:
    """What departs from the schema in an environment (where the schema knows it), every reason by itself.

    Args:
        statistics: of the split.
        schema: a schema.
        split: its name.
        environment: ``TRAINING`` or ``SERVING``.
        as_text: columns that the use case takes as categories, whatever their type: a schema that says INT or FLOAT
            of them is compared with their texts.

    Returns:
        Anomalies as TFDV names them; and, of an inferred schema, how the split compares with the sample behind it,
        in the place of the anomalies that take a sample for the whole.
    """
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    known = environment if environment in schema.default_environment else None
    fitted = _fitted(schema, statistics, as_text)
    found = tfdv.validate_statistics(_listed(statistics), fitted, environment=known)
    sampled = list(compared(statistics, fitted, split, environment))
    instead = {(held.feature, kind) for held, kinds in sampled for kind in kinds}
    named = anomalies_pb2.AnomalyInfo.Type.Name
    by_column = {"/".join(info.path.step) or key: info for key, info in sorted(found.anomaly_info.items())}
    listed = [  # the key of `anomaly_info` is the path in TFDV's quotes
        Anomaly(column, named(reason.type), split, reason.description or reason.short_description)
        for column, info in by_column.items()
        for reason in info.reason
        if (column, named(reason.type)) not in instead
    ]
    if found.HasField("dataset_anomaly_info"):
        listed += [Anomaly("", named(r.type), split, r.description) for r in found.dataset_anomaly_info.reason]
    return listed, [held for held, _ in sampled]


def _fitted(schema: Any, statistics: SplitStatistics, as_text: Collection[str]) -> Any:
    """The schema, with the numbers that the use case takes as categories as texts of numbers."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    texts = {name_of(f) for f in statistics.proto.features if f.HasField("string_stats")} & set(as_text)
    fitted = schema_pb2.Schema()
    fitted.CopyFrom(schema)
    for feature in fitted.feature:
        if feature.name not in texts or feature.type not in (schema_pb2.INT, schema_pb2.FLOAT):
            continue
        if feature.type == schema_pb2.FLOAT:
            feature.float_domain.SetInParent()
        elif feature.HasField("bool_domain") and not was_inferred(feature):
            feature.ClearField("bool_domain")
            feature.string_domain.value.extend(["0", "1", "false", "true"])
        else:
            feature.int_domain.SetInParent()
        feature.type = schema_pb2.BYTES
    return fitted


def _listed(statistics: SplitStatistics) -> Any:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[statistics.proto])


def environments(schema: Any, label: str) -> Any:
    """Name the environments TRAINING and SERVING; the label may be absent when serving."""
    del schema.default_environment[:]
    schema.default_environment.extend(["TRAINING", "SERVING"])
    for feature in schema.feature:
        if feature.name == label:
            del feature.not_in_environment[:]
            feature.not_in_environment.append("SERVING")
    return schema
