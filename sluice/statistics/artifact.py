"""The statistics artifact, and the schema artifact.

Statistics are ``<split>/FeatureStats.pb`` (TFX's layout), exact histograms, and ``statistics.json``, which names the examples
that they are of, their schema, and the files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from sluice import digest, parts
from sluice.errors import SluiceError
from sluice.gates.data.evidence import Repetition  # noqa: TC001 - pydantic looks annotations up
from sluice.gates.verdict import JudgedRows  # noqa: TC001
from sluice.parts import Part  # noqa: TC001
from sluice.stored import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.examples.dataset import Examples

MANIFEST_FILE = "statistics.json"
REMEDY = "run validate again, and the steps after it"
STATISTICS_FILE = "FeatureStats.pb"
HISTOGRAMS_FILE = "histograms.json"
ALONE_FILE = "associations.json"
SCHEMA_FILE = "schema.pbtxt"
STATISTICS_SUFFIXES = (".pb", ".pbtxt")
"""Of statistics that another framework wrote."""


def is_statistics(place: Path) -> bool:
    """Whether a file, or a folder of splits, holds statistics and not data."""
    return place.suffix in STATISTICS_SUFFIXES or (place.is_dir() and any(place.glob(f"*/{STATISTICS_FILE}")))


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


class StatisticsManifest(Stored):
    """``statistics.json``: what the statistics are of, and their files.

    Attributes:
        format: 2; statistics of format 1 had no such file.
        examples: digest of the examples.
        splits: split of the examples to the rows that were counted.
        schema_digest: of the schema that `validate` wrote with them.
        repetition: how many of the examples' rows repeat; None where nobody counted.
        files: every file of the artifact but this one.
    """

    WHAT: ClassVar[str] = "the statistics' manifest"
    INDENT: ClassVar[bool] = True

    format: int = 2
    examples: str
    splits: dict[str, JudgedRows]
    schema_digest: str
    repetition: Repetition | None = None
    files: tuple[Part, ...]


@dataclass(frozen=True)
class Statistics:
    """Statistics of every split of an examples artifact.

    Attributes:
        splits: split to its statistics.
        manifest: what they are of; None where they were not read from an artifact, or from one of format 1.
    """

    splits: dict[str, SplitStatistics]
    manifest: StatisticsManifest | None = None

    def split(self, name: str) -> SplitStatistics:
        """One split's statistics."""
        return self.splits[name]

    def save(self, folder: Path, examples: Examples, schema: Path) -> None:
        """Write the artifact; ``statistics.json`` last.

        Args:
            folder: the artifact's.
            examples: what the statistics are of.
            schema: folder of their schema.
        """
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
        manifest = StatisticsManifest(
            examples=examples.manifest.digest, splits={name: examples.judged(name) for name in self.splits},
            schema_digest=digest.of_tree(schema), repetition=examples.manifest.repetition, files=tuple(parts.describe(folder, file) for file in _files(folder)),
        )  # fmt: skip
        (folder / MANIFEST_FILE).write_bytes(manifest.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> Statistics:
        """Read the artifact, and hold its files against ``statistics.json``; format 1 has none, and is read as it is.

        Raises:
            SluiceError: the folder holds no statistics, or a file was changed, swapped, added or removed.
        """
        from tensorflow_metadata.proto.v0 import statistics_pb2

        manifest = None
        if (folder / MANIFEST_FILE).is_file():
            manifest = StatisticsManifest.read(folder / MANIFEST_FILE, REMEDY)
            parts.check_names(folder, manifest.files, _files(folder), REMEDY)
            for part in manifest.files:
                parts.check(folder, part, REMEDY)
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
        return cls(splits, manifest)

    def check_made_of(self, examples: Examples, schema: Path, folder: Path) -> None:
        """They are of these examples, and came with this schema.

        Args:
            examples: what they have to be of.
            schema: folder of the schema.
            folder: the statistics', for the message.

        Raises:
            SluiceError: they are of others, or came with another schema; or examples of format 2 come with statistics
                that do not say what they are of.
        """
        if self.manifest is None:
            if examples.manifest.format > 1:
                raise SluiceError(f"{MANIFEST_FILE} is missing: it says which examples the statistics are of", where=str(folder),
                                  remedy=REMEDY)  # fmt: skip
            return
        if self.manifest.examples != examples.manifest.digest:
            raise SluiceError(f"the statistics are of other examples: {self.manifest.examples} expected, "
                              f"{examples.manifest.digest} found", where=str(folder), remedy=REMEDY)  # fmt: skip
        if self.manifest.splits != {name: examples.listed(name) for name in self.manifest.splits}:
            raise SluiceError(
                "the statistics are of other rows than the examples hold", where=str(folder), remedy=REMEDY
            )
        if (found := digest.of_tree(schema)) != self.manifest.schema_digest:
            raise SluiceError(f"the schema is not the one of the statistics: {self.manifest.schema_digest} expected, {found} found",
                              where=str(schema), remedy=REMEDY)  # fmt: skip


def _files(folder: Path) -> list[Path]:
    """Every file of a statistics artifact but its manifest, and a signature."""
    own = {folder / MANIFEST_FILE, folder / digest.SIGNATURE_FILE}
    return sorted(file for file in folder.rglob("*") if file.is_file() and file not in own)


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
