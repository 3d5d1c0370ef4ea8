"""Warm start: begin with the champion's weights where they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.features.preprocessing import IDS
from sluice.models import saved_model
from sluice.models.manifest import ModelManifest
from sluice.progress import progress
from sluice.training.networks import WIDE, embedding_layer, offsets

if TYPE_CHECKING:
    from sluice.training.contract import Job

INPUTS, SIZES = "inputs", "sizes"
"""Keys of `ModelManifest.training` that name a model's columns, and say how many ids each has."""
Pair = tuple[np.ndarray, np.ndarray]


def start(network: Any, job: Job) -> None:
    """Put the champion's weights into a network, in place; says what was taken, or why nothing was.

    Weights are matched by layer and shape. Ids follow frequencies and so change from one training to the next: rows of
    an embedding are matched by the values that they stand for, as both preprocessings number them.
    """
    import tensorflow as tf

    if job.champion is None:
        return
    manifest = ModelManifest.load(job.champion)
    if reason := _unlike(manifest, job):
        progress(f"no warm start: {reason}")
        return
    champion = tf.saved_model.load(str(job.champion))
    held = {v.name.removesuffix(":0"): v for v in champion.signatures["serving_default"].variables}
    tables = _tables(_renumbered(champion.preprocessing, job), manifest.training[SIZES], job)
    if job.trainer.name == "own" and any((now != then).any() for now, then in tables.values()):
        progress("no warm start: values are numbered anew, and a network of your own may hold them anywhere")
        return
    taken = 0
    for variable in network.trainable_variables:
        old = held.get(variable.path)
        if old is None:
            continue
        if variable.path in tables and old.shape[1:] == variable.shape[1:]:
            now, then = tables[variable.path]
            rows = np.array(variable.numpy())
            rows[now] = old.numpy()[then]
            variable.assign(rows)
        elif old.shape == tuple(variable.shape):
            variable.assign(old.numpy())
        else:
            continue
        taken += 1
    progress(f"warm start: {taken} of {len(network.trainable_variables)} weights are the champion's")


def _unlike(manifest: ModelManifest, job: Job) -> str:
    """Why a champion's weights mean something else here; empty where they do not."""
    if manifest.flavor != "tensorflow":
        return f"the champion is of the flavor {manifest.flavor}"
    if (manifest.task, manifest.classes) != (job.task, job.classes):
        return "the champion has another task or other classes"
    if manifest.training.get("name") != job.trainer.name:
        return f"the champion's trainer is {manifest.training.get('name')}"
    if manifest.training.get(INPUTS) != inputs(job)[INPUTS]:
        return "the champion has other inputs"
    return ""


def inputs(job: Job) -> dict[str, Any]:
    """Names of the columns and numbers of ids, as they stand in ``model.json``."""
    return {INPUTS: {"numbers": list(job.plan.numbers), "ids": list(job.plan.ids)}, SIZES: list(job.plan.sizes)}


def _tables(renumbered: list[Pair], sizes: list[int], job: Job) -> dict[str, Pair]:
    """For each table of embeddings: its rows, and the champion's that stand for the same values."""
    tables = {f"{embedding_layer(name)}/embeddings": pair for name, pair in zip(job.plan.ids, renumbered, strict=True)}
    if renumbered:
        starts = zip(offsets(job.plan.sizes), offsets(sizes), renumbered, strict=True)
        now, then = zip(*((here + now, there + then) for here, there, (now, then) in starts), strict=True)
        tables[f"{WIDE}/embeddings"] = np.concatenate(now), np.concatenate(then)
    return tables


def _renumbered(champion: Any, job: Job) -> list[Pair]:
    """For each column of ids: ids here, and those that the champion gives to the same raw rows."""
    import tensorflow as tf

    if not job.plan.ids:
        return []
    raw = {name: tf.constant(column) for name, column in job.examples.items()}
    ours = tf.saved_model.load(str(job.preprocessing))
    now, then = (saved_model.by_name(made)(raw)[IDS].numpy() for made in (ours, champion))
    pairs = []
    for column in range(len(job.plan.ids)):
        both, counts = np.unique(np.stack([now[:, column], then[:, column]]), axis=1, return_counts=True)
        both = both[:, np.argsort(counts, kind="stable")]  # of several, the most frequent comes last and stays
        pairs.append((both[0], both[1]))
    return pairs
