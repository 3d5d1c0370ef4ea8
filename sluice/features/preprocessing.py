"""The preprocessing: a TensorFlow graph set from statistics, from raw features to model inputs.

Nothing is adapted: means, ranges, quantiles and vocabularies come from the statistics artifact, so that the raw data
is not read again. Each kind of feature stands in `sluice.features.kinds`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.features.kinds.categorical import boolean, categorical, cross
from sluice.features.kinds.columns import Columns
from sluice.features.kinds.numeric import numeric
from sluice.features.kinds.own import own
from sluice.features.kinds.texts import text
from sluice.features.kinds.times import datetime
from sluice.models import saved_model
from sluice.models.manifest import RawType
from sluice.stored import format_of
from sluice.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sluice.features.kinds.columns import Step
    from sluice.features.spec import Features
    from sluice.statistics.artifact import SplitStatistics

PLAN_FILE = "preprocessing.json"
FORMAT = 2
"""Of ``preprocessing.json``; 1 had neither this number nor the release that wrote it."""
NUMBERS, IDS = "numbers", "ids"


@dataclass(frozen=True)
class Plan:
    """What the preprocessing makes.

    Attributes:
        raw: raw feature to its type at the serving signature.
        numbers: names of the columns of the float32 output ``numbers``, shape [batch, len(numbers)].
        ids: names of the columns of the int32 output ``ids``, shape [batch, len(ids)].
        sizes: number of ids of each, in order; ids run from 0.
        embeddings: embedding size of each, in order.
        features: the features as configured or inferred, as plain values.
    """

    raw: dict[str, RawType]
    numbers: tuple[str, ...]
    ids: tuple[str, ...]
    sizes: tuple[int, ...]
    embeddings: tuple[int, ...]
    features: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``preprocessing.json``."""
        content = {"format": FORMAT, "release": __version__, **asdict(self)}
        (folder / PLAN_FILE).write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read ``preprocessing.json`` of any format up to this release's; what the plan holds is the same in format 1.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: it is missing, or cannot be read.
        """
        file = folder / PLAN_FILE
        try:
            plain = json.loads(file.read_bytes())
            format_of(plain, FORMAT, "the preprocessing", str(file))
            return cls(
                {name: RawType(kind) for name, kind in plain["raw"].items()}, features=plain["features"],
                **{name: tuple(plain[name]) for name in ("numbers", "ids", "sizes", "embeddings")},
            )  # fmt: skip
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            raise SluiceError(f"no readable preprocessing ({type(error).__name__})", where=str(file),
                              remedy="give the folder that transform wrote, or run transform again") from error  # fmt: skip


@dataclass(frozen=True)
class Preprocessing:
    """A preprocessing in memory.

    Attributes:
        plan: what it makes.
        serve: a `tf.function` from a dict of raw features, each of shape [batch], to ``numbers`` and ``ids``.
        module: holds its lookup tables.
    """

    plan: Plan
    serve: Any
    module: Any

    def save(self, folder: Path) -> None:
        """Write a SavedModel that needs none of our code, and ``preprocessing.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        saved_model.save(self.module, folder, self.serve, self.plan.raw)
        self.plan.save(folder)


def build(features: Features, statistics: SplitStatistics, columns: Mapping[str, str] | None = None) -> Preprocessing:
    """The preprocessing, set from the statistics.

    Args:
        features: what the model sees; see `sluice.features.infer` for none given.
        statistics: of the train split.
        columns: the columns of the examples and their Arrow types.

    Raises:
        SluiceError: a feature is not in the statistics, has no value, has a type that its kind cannot take, or needs
            what the statistics do not hold.
    """
    import tensorflow as tf

    steps = _steps(features, statistics, columns or {})
    raw = {name: kind for step in steps for name, kind in step.raw.items()}
    traced: list[Columns] = []

    def apply(inputs: dict[str, Any]) -> dict[str, Any]:
        out = Columns(frozenset(raw))
        traced.append(out)
        for step in steps:
            step.make(inputs, out)
        made = {}
        if out.numbers:
            made[NUMBERS] = tf.concat(list(out.numbers.values()), axis=1)
        if out.ids:
            made[IDS] = tf.stack([tf.cast(column.values, tf.int32) for column in out.ids.values()], axis=1)
        return made

    module = tf.Module()
    module.kept = [table for step in steps for table in step.kept]
    serve = tf.function(apply, input_signature=[saved_model.tensor_specs(raw)], autograph=False)
    serve.get_concrete_function()
    out = traced[0]
    plan = Plan(
        raw,
        numbers=tuple(name for block in out.numbers for name in block),
        ids=tuple(out.ids),
        sizes=tuple(column.size for column in out.ids.values()),
        embeddings=tuple(column.embedding for column in out.ids.values()),
        features=features.model_dump(mode="json", exclude_defaults=True),
    )
    return Preprocessing(plan, serve, module)


def _steps(features: Features, statistics: SplitStatistics, columns: Mapping[str, str]) -> list[Step]:
    """Every feature's part of the graph, in the order in which their columns stand."""
    steps = [
        *(numeric(spec, statistics) for spec in features.numeric),
        *(boolean(spec, statistics) for spec in features.boolean),
        *(datetime(spec, statistics) for spec in features.datetime),
        *(text(spec, statistics) for spec in features.text),
        *(categorical(spec, statistics) for spec in features.categorical),
        *(cross(spec) for spec in features.crosses),
    ]
    if features.preprocess.module:
        times = frozenset(name for name, kind in columns.items() if kind.startswith(("timestamp", "date")))
        steps.append(own(features.preprocess, statistics, times))
    return steps
