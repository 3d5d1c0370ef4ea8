"""Faults in the middle of a push (tests/faults/push/planted.py): each once; `make faults` repeats them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.push import planted as faults

SERVERS = pytest.mark.parametrize("server", ["s3", "gcs", "azure"])
KINDS = pytest.mark.parametrize("store", [False, True], ids=["folder", "object store"])


@KINDS
@pytest.mark.parametrize("step", faults.STEPS)
def test_killed_at_every_step(tmp_path: Path, step: str, store: bool) -> None:
    faults.killed_at(tmp_path, step, store=store)


@KINDS
def test_a_rollback_that_was_killed_is_finished(tmp_path: Path, store: bool) -> None:
    faults.killed_in_rollback(tmp_path, store=store)


@KINDS
@pytest.mark.parametrize("pushers", [2, 5, 20])
def test_many_at_once(tmp_path: Path, pushers: int, store: bool) -> None:
    faults.at_once(tmp_path, pushers, store=store)


@SERVERS
@pytest.mark.parametrize("step", faults.STEPS)
def test_killed_at_every_step_with_everything_on_a_server(
    tmp_path: Path, step: str, server: str, request: pytest.FixtureRequest
) -> None:
    faults.killed_at(tmp_path, step, store=True, root=request.getfixturevalue(server))


@SERVERS
def test_twenty_at_once_on_a_server(tmp_path: Path, server: str, request: pytest.FixtureRequest) -> None:
    faults.at_once(tmp_path, 20, store=True, root=request.getfixturevalue(server))


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "answer lost"])
def test_a_store_that_fails_at_each_call(tmp_path: Path, lost: bool) -> None:
    assert faults.failing_store(tmp_path, lost=lost) > 20


@KINDS
@pytest.mark.parametrize("free", [0, 16, 32])
def test_a_full_disk(free: int, store: bool) -> None:
    try:
        with faults.small_disk() as disk:
            faults.full_disk(disk, free, store=store)
    except PermissionError as error:
        pytest.skip(f"a small file system cannot be mounted here: {error}")
