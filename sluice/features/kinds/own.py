"""A user's own ``preprocess(features)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice import modules
from sluice.errors import SluiceError
from sluice.features import facts
from sluice.features.kinds.columns import Columns, Step
from sluice.models.manifest import RawType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.features.spec import Preprocess
    from sluice.statistics.artifact import SplitStatistics

FUNCTION = "preprocess"


def own(spec: Preprocess, statistics: SplitStatistics, times: frozenset[str]) -> Step:
    """The part of the graph that a user wrote.

    Args:
        spec: their module, and the columns that it takes beside those of the other kinds.
        statistics: of the train split.
        times: the columns of timestamps or dates, which are texts at the signature.

    Raises:
        SluiceError: there is no such module, function or column, or it returns what no model takes.
        UserCodeError: it raised.
    """
    where = f"features.preprocess: {spec.module}"
    function = modules.function(modules.load(spec.module, spec.sha256), FUNCTION)
    raw = {}
    for name in spec.columns:
        number = facts.present(name, statistics, where).HasField("num_stats") and name not in times
        raw[name] = RawType.FLOAT if number else RawType.STRING

    def make(raw: Mapping[str, Any], out: Columns) -> None:
        made = function(dict(raw))
        if not isinstance(made, dict):
            raise SluiceError(
                f"{FUNCTION} returned {type(made).__name__}", where=where, remedy="return a dict of tensors"
            )
        for name, values in made.items():
            _add(str(name), values, out, where)

    return Step(raw, make)


def _add(name: str, values: Any, out: Columns, where: str) -> None:
    import tensorflow as tf

    pair = isinstance(values, tuple) and len(values) == 2 and isinstance(values[1], int)
    tensor = tf.convert_to_tensor(values[0] if pair else values)
    rank, kind = tensor.shape.rank, tensor.dtype
    width = tensor.shape[1] if rank == 2 else 1
    names = tuple(f"{name}_{index}" for index in range(width or 0)) if rank == 2 else (name,)
    if not (kind.is_integer and rank == 1 if pair else kind.is_floating and rank in (1, 2) and width):
        raise SluiceError(
            f"{FUNCTION} returned {name!r} as {kind.name} of shape {list(tensor.shape)}", where=where,
            remedy="return floats of shape [batch] or [batch, n], or a pair of integers of shape [batch] and their number",
        )  # fmt: skip
    if out.taken & {*names}:
        raise SluiceError(f"{FUNCTION} returned {name!r}, which another feature makes", where=where, remedy="rename it")
    if pair:
        out.category(name, tensor, values[1])
    else:
        out.taken.update(names)
        out.numbers[names] = tf.cast(tf.reshape(tensor, [-1, width]), tf.float32)
