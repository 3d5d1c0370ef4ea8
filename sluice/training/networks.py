"""Keras networks over preprocessed inputs, from ``numbers`` and ``ids`` to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.features.preprocessing import IDS, NUMBERS, Plan

if TYPE_CHECKING:
    from sluice.training.spec import Trainer


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

    def embedded(kind: str, sizes: tuple[int, ...]) -> list[Any]:
        return [
            layers.Embedding(rows, size, name=f"{kind}_{name}")(inputs[IDS][:, index])
            for index, (name, rows, size) in enumerate(zip(plan.ids, plan.sizes, sizes, strict=True))
        ]

    outputs = []
    if trainer.name in ("linear", "wide_and_deep"):
        parts = embedded("wide", (units,) * len(plan.ids))
        if plan.numbers:
            parts.append(layers.Dense(units, name="wide")(inputs[NUMBERS]))
        outputs += parts
    if trainer.name in ("mlp", "wide_and_deep"):
        parts = embedded("deep", plan.embeddings) + ([inputs[NUMBERS]] if plan.numbers else [])
        hidden = ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        for index, width in enumerate(trainer.hidden):
            hidden = layers.Dense(width, activation="relu", name=f"hidden_{index}")(hidden)
            if trainer.dropout:
                hidden = layers.Dropout(trainer.dropout, name=f"dropout_{index}")(hidden)
        outputs.append(layers.Dense(units, name="deep")(hidden))
    return keras.Model(inputs, layers.add(outputs) if len(outputs) > 1 else outputs[0], name=trainer.name)
