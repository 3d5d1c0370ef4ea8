"""What the data gate judges: plain facts, gathered by `sluice.statistics`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.gates.data.label import LabelEvidence


@dataclass(frozen=True)
class Anomaly:
    """One deviation from the schema, as TFDV names it.

    Attributes:
        feature: the feature, ``""`` for the data set as a whole.
        kind: TFDV's anomaly type, e.g. ``SCHEMA_MISSING_COLUMN``.
        split: where it was seen.
        sentence: TFDV's description.
    """

    feature: str
    kind: str
    split: str
    sentence: str


@dataclass(frozen=True)
class UnseenValues:
    """Values of a column that the sample from which its schema was inferred did not show.

    Attributes:
        feature: the column.
        kind: the anomaly that TFDV calls it, e.g. ``ENUM_TYPE_UNEXPECTED_STRING_VALUES``.
        split: where they were seen.
        unseen: rows that hold one of them.
        rows: rows with a value.
        baseline_rows: rows with a value in the sample.
        pooled: pairs of (count, values that have it) over both; the seen and the unseen.
        tolerance: share of the rows with a value that may be unseen whatever chance explains.
        values: some of them, the most frequent first.
    """

    feature: str
    kind: str
    split: str
    unseen: int
    rows: int
    baseline_rows: int
    pooled: tuple[tuple[int, int], ...]
    tolerance: float
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Presence:
    """How much of a column is there, and how much was in the sample from which its schema was inferred.

    Attributes:
        feature: the column.
        kind: the anomaly that TFDV calls too little of it.
        split: where it was counted.
        present: rows with a value.
        rows: all rows.
        baseline_present: rows with a value in the sample.
        baseline_rows: rows of the sample.
        tolerance: by how much the fraction present may fall whatever chance explains.
    """

    feature: str
    kind: str
    split: str
    present: int
    rows: int
    baseline_present: int
    baseline_rows: int
    tolerance: float


@dataclass(frozen=True)
class Distribution:
    """A feature's counts over the same bins in two data sets; the last bin holds the missing values.

    Attributes:
        feature: the feature.
        current: counts in the data that is judged.
        baseline: counts in the data it is compared with.
        categories: whether the bins are values of a category, not ranges of a number.
    """

    feature: str
    current: tuple[int, ...]
    baseline: tuple[int, ...]
    categories: bool = False


@dataclass(frozen=True)
class Extent:
    """Smallest and largest value of a number."""

    low: float
    high: float


@dataclass(frozen=True)
class Repetition:
    """How many rows of a data set repeat.

    Attributes:
        rows: all of them.
        distinct: rows that differ from each other.
        single: rows that no other row equals.
    """

    rows: int
    distinct: int
    single: int


@dataclass(frozen=True)
class DataEvidence:
    """Everything the data gate looks at.

    Attributes:
        rows: split name to rows.
        label: the label's column.
        label_values: number of distinct values of the label in the train split.
        features: columns that the model will see.
        missing: feature to the fraction of missing values in the train split.
        anomalies: deviations from the schema, but for what `unseen` and `presence` hold.
        unseen: values that the sample behind an inferred schema did not show, column by column and split by split.
        presence: how much is there of each column of an inferred schema.
        distributions: features and label, where there is a baseline.
        uncompared: features of which there are no counts over the same bins in the baseline, though it has them.
        inferred: whether the schema was inferred from this very data.
        classes: label's class to its rows in the train split; empty for a label of more than 20 values.
        duplicates: fraction of rows that repeat another; None where nobody counted.
        repetition_before: how many of the baseline's rows repeat; None where there is none, or nobody counted.
        shared: rows of one split that another split holds as well; None where nobody counted.
        extents: number to its extent in the train split.
        age: column of the freshness rule to the days since its newest value.
        alone: feature to the AUC with which it alone ranks the label in the train split.
        alone_before: the same in the baseline.
        target: the label and row weights in every split; None for data without a label.
        rows_in: rows that ingest read; 0 where nobody counted.
        quarantined: of these, rows that could not be read as the columns' types.
        left_out: of these, rows that are in no split.
        notes: what is worth knowing of the rows, in sentences; on record, and judged by no rule.
        held_out: as `alone`, of rows that the label's rates were not taken from.
    """

    rows: dict[str, int]
    label: str
    label_values: int
    features: tuple[str, ...]
    missing: dict[str, float]
    anomalies: tuple[Anomaly, ...] = ()
    distributions: tuple[Distribution, ...] = field(default=())
    uncompared: tuple[str, ...] = ()
    inferred: bool = False
    classes: dict[str, int] = field(default_factory=dict)
    duplicates: float | None = None
    shared: int | None = None
    extents: dict[str, Extent] = field(default_factory=dict)
    age: dict[str, float] = field(default_factory=dict)
    alone: dict[str, float] = field(default_factory=dict)
    alone_before: dict[str, float] = field(default_factory=dict)
    target: LabelEvidence | None = None
    rows_in: int = 0
    quarantined: int = 0
    left_out: int = 0
    notes: tuple[str, ...] = ()
    held_out: dict[str, float] = field(default_factory=dict)
    repetition_before: Repetition | None = None
    unseen: tuple[UnseenValues, ...] = ()
    presence: tuple[Presence, ...] = ()
