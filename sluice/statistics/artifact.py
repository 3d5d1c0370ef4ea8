"""The statistics artifact: ``<split>/FeatureStats.pb`` (TFX's layout) and exact histograms; the schema artifact."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from pathlib import Path

STATISTICS_FILE = "FeatureStats.pb"
HISTOGRAMS_FILE = "histograms.json"
ALONE_FILE = "associations.json"
SCHEMA_FILE = "schema.pbtxt"


def name_of(feature: Any) -> str:
    """The column of a ``FeatureNameStatistics``."""
    return feature.name or "/".join(feature.path.step)


def common_of(feature: Any) -> Any:
    """The ``CommonStatistics`` of a ``FeatureNameStatistics``: missing values and the like."""
    return (feature.string_stats if feature.HasField("string_stats") else feature.num_stats).common_stats


@dataclass(frozen=True)
class Histogram:
    """Exact counts of a number over bins.

    Attributes:
        edges: upper ends of all bins but the last, ascending; bin i holds edges[i-1] < x <= edges[i].
        counts: values per bin, one more than edges.
        missing: rows without a value.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int


@dataclass(frozen=True)
class SplitStatistics:
    """Statistics of one split.

    Attributes:
        proto: TFDV's ``DatasetFeatureStatistics``.
        histograms: number's name to its exact histogram.
        alone: feature to the AUC with which it alone ranks a label of two values.
        slices: slice (``origin_JFK``) to TFDV's statistics of its rows.
    """

    proto: Any
    histograms: dict[str, Histogram]
    alone: dict[str, float] = field(default_factory=dict)
    slices: dict[str, Any] = field(default_factory=dict)

    def feature(self, name: str) -> Any:
        """TFDV's ``FeatureNameStatistics`` of a column.

        Raises:
            SluiceError: there is no such column.
        """
        for feature in self.proto.features:
            if name_of(feature) == name:
                return feature
        known = ", ".join(name_of(feature) for feature in self.proto.features)
        raise SluiceError(f"no statistics of {name!r}", where="features", remedy=f"columns: {known}")


@dataclass(frozen=True)
class Statistics:
    """Statistics of every split of an examples artifact."""

    splits: dict[str, SplitStatistics]

    def split(self, name: str) -> SplitStatistics:
        """One split's statistics."""
        return self.splits[name]

    def save(self, folder: Path) -> None:
        """Write the artifact."""
        from tensorflow_metadata.proto.v0 import statistics_pb2

        for name, split in self.splits.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            listed = statistics_pb2.DatasetFeatureStatisticsList(datasets=[split.proto, *split.slices.values()])
            (folder / name / STATISTICS_FILE).write_bytes(listed.SerializeToString(deterministic=True))
            plain = {
                k: {"edges": h.edges, "counts": h.counts, "missing": h.missing} for k, h in split.histograms.items()
            }
            (folder / name / HISTOGRAMS_FILE).write_text(json.dumps(plain) + "\n")
            if split.alone:
                (folder / name / ALONE_FILE).write_text(json.dumps(split.alone, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Statistics:
        """Read the artifact.

        Raises:
            SluiceError: the folder holds no statistics.
        """
        from tensorflow_metadata.proto.v0 import statistics_pb2

        splits = {}
        for file in sorted(folder.glob(f"*/{STATISTICS_FILE}")):
            listed = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes())
            histograms = file.with_name(HISTOGRAMS_FILE)
            plain = json.loads(histograms.read_text()) if histograms.exists() else {}
            alone = file.with_name(ALONE_FILE)
            splits[file.parent.name] = SplitStatistics(
                listed.datasets[0],
                {name: Histogram(tuple(h["edges"]), tuple(h["counts"]), h["missing"]) for name, h in plain.items()},
                json.loads(alone.read_text()) if alone.exists() else {},
                {proto.name: proto for proto in listed.datasets[1:]},
            )
        if not splits:
            raise SluiceError("no statistics here", where=str(folder), remedy="give the folder that validate wrote")
        return cls(splits)


def save_schema(schema: Any, place: Path) -> None:
    """Write ``schema.pbtxt`` into a folder, or the file that is named."""
    from google.protobuf import text_format

    file = place if place.suffix == ".pbtxt" else place / SCHEMA_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text_format.MessageToString(schema, as_utf8=True))


def load_schema(folder: Path) -> Any:
    """Read ``schema.pbtxt``.

    Raises:
        SluiceError: it is not there, or is not a schema.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    file = folder / SCHEMA_FILE if folder.is_dir() else folder
    try:
        return text_format.Parse(file.read_text(), schema_pb2.Schema())
    except FileNotFoundError:
        raise SluiceError(
            "no schema here", where=str(file), remedy="give a schema.pbtxt, or none to infer one"
        ) from None
    except text_format.ParseError as error:
        raise SluiceError(f"not a schema: {error}", where=str(file)) from None
