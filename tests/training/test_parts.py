"""The parts of a training that need no TensorFlow: which rows a step sees, class weights, checkpoints, places in a cluster."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.training import batches, devices
from sluice.training.batches import Cut, order
from sluice.training.checkpoints import Checkpoints
from sluice.training.weights import by_class


@given(rows=st.integers(2, 3000), fraction=st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5]))
def test_rows_held_back_are_never_trained_on(rows: int, fraction: float) -> None:
    cut = Cut(rows, fraction)
    trained = cut.trained(np.arange(cut.rows))
    held = np.setdiff1d(np.arange(rows), trained)
    assert len(trained) == cut.rows == rows - cut.held
    np.testing.assert_array_equal(cut.looked_at() if cut.held else [], held)
    assert abs(cut.held - fraction * rows) <= 1 + 0.07 * rows


def test_few_of_many_rows_held_back_are_looked_at() -> None:
    cut = Cut(1_000_000, 0.1)
    looked = cut.looked_at()
    assert len(looked) == batches.LOOK
    assert not np.intersect1d(looked[:100], cut.trained(np.arange(10_000))).size


@pytest.mark.parametrize(("whole", "block"), [(1 << 22, 1 << 10), (256, 32)])
def test_every_epoch_holds_every_row_once_and_in_another_order(
    monkeypatch: pytest.MonkeyPatch, whole: int, block: int
) -> None:
    monkeypatch.setattr(batches, "WHOLE", whole)
    monkeypatch.setattr(batches, "BLOCK", block)
    rows, size = 1000, 125
    epochs = [np.concatenate(list(itertools.islice(flow, 8))) for flow in [order(rows, size, 7)] for _ in range(2)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(rows))
    assert not np.array_equal(*epochs)
    assert np.corrcoef(epochs[0], np.arange(rows))[0, 1] < 0.2
    again = np.concatenate(list(itertools.islice(order(rows, size, 7), 8)))
    np.testing.assert_array_equal(again, epochs[0])
    assert not np.array_equal(np.concatenate(list(itertools.islice(order(rows, size, 8), 8))), again)


@given(counts=st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_balanced_classes_weigh_the_same_and_an_example_1_on_average(counts: list[int]) -> None:
    label = np.repeat(np.arange(len(counts)), counts).astype(np.float32)
    weights = by_class("balanced", [str(c) for c in range(len(counts))], label)
    assert weights is not None
    sums = weights * counts
    np.testing.assert_allclose(sums, sums[0], rtol=1e-4)
    np.testing.assert_allclose(sums.sum() / len(label), 1, rtol=1e-4)


def test_class_weights_by_name_and_their_mistakes() -> None:
    label = np.array([0, 1], np.float32)
    np.testing.assert_array_equal(by_class({"b": 3}, ["a", "b"], label), [1, 3])
    assert by_class("off", ["a", "b"], label) is None
    for asked, classes, message in (
        ({"c": 1}, ["a", "b"], "the label has no class 'c'"),
        ({"a": 0}, ["a", "b"], "the weight of the class 'a' is 0"),
        ("balanced", [], "a regression has no classes"),
    ):
        with pytest.raises(SluiceError, match=message):
            by_class(asked, classes, label)  # type: ignore[arg-type]


def test_the_last_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Checkpoints(str(tmp_path), "sha256:" + "a" * 64, 200)
    assert kept.latest() is None
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.uint32)]
    for step in (200, 400):
        kept.save(step, arrays, {"curve": [step]})
    found = kept.latest()
    assert found is not None
    assert found.state == {"step": 400, "curve": [400]}
    for array, back in zip(arrays, found.arrays, strict=True):
        np.testing.assert_array_equal(array, back)
        assert array.dtype == back.dtype
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    assert Checkpoints(str(tmp_path), "sha256:" + "b" * 64, 200).latest() is None  # another training's
    assert [kept.due(a, b) for a, b in ((100, 200), (200, 300), (300, 400))] == [True, False, True]
    kept.clear()
    assert kept.latest() is None


def test_a_checkpoint_that_cannot_be_read_is_told_and_no_pickle_is_loaded(tmp_path: Path) -> None:
    kept = Checkpoints(str(tmp_path), "sha256:" + "a" * 64, 200)
    kept.save(200, [np.zeros(1)], {})
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(b"broken")
    with pytest.raises(SluiceError, match="the checkpoint cannot be read"):
        kept.latest()
    np.savez(file, **{"0": np.array([{"code": 1}], object), "state": np.frombuffer(b"{}", np.uint8)})
    with pytest.raises(SluiceError, match="the checkpoint cannot be read: Object arrays cannot be loaded"):
        kept.latest()


def config(kind: str, index: int, **cluster: int) -> str:
    hosts = {job: [f"host-{i}:1" for i in range(count)] for job, count in cluster.items()}
    return json.dumps({"cluster": hosts, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("", (0, 1)),
        (config("worker", 1, worker=3), (1, 3)),
        (config("chief", 0, chief=1, worker=2), (0, 3)),
        (config("worker", 1, chief=1, worker=2), (2, 3)),
        (config("chief", 0, chief=1), (0, 1)),
        ('{"environment": "cloud"}', (0, 1)),
    ],
)
def test_the_place_of_a_worker(given: str, place: tuple[int, int]) -> None:
    assert devices._place(given) == place


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "TF_CONFIG: not a cluster"),
        ("[1]", "TF_CONFIG: not a cluster"),
        (config("ps", 0, worker=2, ps=1), "a task of the type 'ps' has no part"),
        (config("worker", 2, worker=2), "there is no worker 2 in the cluster"),
    ],
)
def test_a_cluster_that_cannot_be(given: str, message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        devices._place(given)
