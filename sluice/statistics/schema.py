"""Schemas: inferred from statistics, and what departs from them, both by TFDV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.gates.data.evidence import Anomaly
from sluice.statistics.artifact import common_of

if TYPE_CHECKING:
    from sluice.statistics.artifact import SplitStatistics

# A schema inferred from a sample leaves room for what the sample did not show.
MAX_DOMAIN = 200
DOMAIN_MASS = 0.99
PRESENCE_SLACK = 0.05


def infer(statistics: SplitStatistics) -> Any:
    """A first schema from the train split's statistics.

    Looser than TFDV's own where a sample says too much: of a category's values 99 % must be known ones (not all), and
    a column may be missing five percentage points more often than it was seen to be.
    """
    import tensorflow_data_validation as tfdv

    schema = tfdv.infer_schema(_listed(statistics), infer_feature_shape=False, max_string_domain_size=MAX_DOMAIN)
    for feature in schema.feature:
        if feature.HasField("domain"):
            feature.distribution_constraints.min_domain_mass = DOMAIN_MASS
        seen = common_of(statistics.feature(feature.name))
        total = seen.num_non_missing + seen.num_missing
        feature.presence.min_count = 1
        feature.presence.min_fraction = max(0.0, seen.num_non_missing / total - PRESENCE_SLACK) if total else 0.0
    return schema


def anomalies(statistics: SplitStatistics, schema: Any, split: str, environment: str = "TRAINING") -> list[Anomaly]:
    """What departs from the schema in an environment (where the schema knows it), every reason by itself."""
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    known = environment if environment in schema.default_environment else None
    found = tfdv.validate_statistics(_listed(statistics), schema, environment=known)
    named = anomalies_pb2.AnomalyInfo.Type.Name
    listed = [
        Anomaly(
            "/".join(info.path.step) or key, named(reason.type), split, reason.description or reason.short_description
        )
        for key, info in sorted(found.anomaly_info.items())  # the key is the path in TFDV's quotes
        for reason in info.reason
    ]
    if found.HasField("dataset_anomaly_info"):
        listed += [Anomaly("", named(r.type), split, r.description) for r in found.dataset_anomaly_info.reason]
    return listed


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
