"""Keras networks over preprocessed inputs, from ``numbers`` and ``ids`` to logits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.features.preprocessing import IDS, NUMBERS, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.training.spec import Trainer


WIDE, DEEP = "wide_ids", "deep_"
NO_SCOPE = re.compile(r"[^A-Za-z0-9_.-]")


def embedding_layer(column: str) -> str:
    """Name of the layer that embeds a column: the column's, with ``>`` and hex digits for what TensorFlow's scopes do not take."""
    return DEEP + NO_SCOPE.sub(lambda found: "".join(f">{byte:02X}" for byte in found[0].encode()), column)


def offsets(sizes: Sequence[int]) -> np.ndarray:
    """Where each column of ids begins in a table of all values, int32 of shape [ids]."""
    return np.cumsum([0, *sizes[:-1]]).astype(np.int32)


def inputs_of(plan: Plan) -> dict[str, Any]:
    """Symbolic inputs: ``numbers`` of shape [batch, numbers], ``ids`` of shape [batch, ids]."""
    import keras

    inputs: dict[str, Any] = {}
    if plan.numbers:
        inputs[NUMBERS] = keras.Input((len(plan.numbers),), name=NUMBERS)
    if plan.ids:
        inputs[IDS] = keras.Input((len(plan.ids),), dtype="int32", name=IDS)
    return inputs


def network(plan: Plan, units: int, trainer: Trainer) -> Any:
    """A `keras.Model` from ``numbers`` and ``ids`` to logits (or the standardised label of a regression).

    ``linear``: one weight a number and a value. ``mlp``: embeddings and hidden layers. ``wide_and_deep``: the sum of
    both (Cheng et al. 2016).
    """
    import keras
    from keras import layers, ops

    inputs = inputs_of(plan)

    outputs = []
    if trainer.name in ("linear", "wide_and_deep"):
        if plan.ids:  # one table of all values: one variable to update, not one a feature
            rows = layers.Embedding(sum(plan.sizes), units, name=WIDE)(inputs[IDS] + offsets(plan.sizes))
            outputs.append(ops.sum(rows, axis=1))
        if plan.numbers:
            outputs.append(layers.Dense(units, name="wide_numbers")(inputs[NUMBERS]))
    if trainer.name in ("mlp", "wide_and_deep"):
        parts = [
            layers.Embedding(rows, size, name=embedding_layer(name))(inputs[IDS][:, index])
            for index, (name, rows, size) in enumerate(zip(plan.ids, plan.sizes, plan.embeddings, strict=True))
        ]
        parts += [inputs[NUMBERS]] if plan.numbers else []
        hidden = ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        for index, width in enumerate(trainer.hidden):
            hidden = layers.Dense(width, activation="relu", name=f"hidden_{index}")(hidden)
            if trainer.dropout:
                hidden = layers.Dropout(trainer.dropout, name=f"dropout_{index}")(hidden)
        outputs.append(layers.Dense(units, name="deep")(hidden))
    return keras.Model(inputs, layers.add(outputs) if len(outputs) > 1 else outputs[0], name=trainer.name)
