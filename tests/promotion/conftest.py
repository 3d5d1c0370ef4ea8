"""Candidates whose models can be loaded and asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.fakes import serving
from tests.promotion import made
from tests.shared import shared


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Three real SavedModels: they multiply by 1, 2 and 3."""
    with shared(tmp_path_factory, "saved", partial(_saved, tmp_path_factory)) as folders:
        yield [Path(folder) for folder in folders]


@contextmanager
def _saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    folders = [tmp_path_factory.mktemp("saved") / str(number) for number in (1, 2, 3)]
    serving.saved_models(*folders)
    yield [str(folder) for folder in folders]


@pytest.fixture
def candidates(saved: list[Path], tmp_path: Path) -> list[made.Candidate]:
    """Candidates with real models."""
    found = []
    for number, folder in enumerate(saved, 1):
        one = made.candidate(tmp_path / f"candidate-{number}", "replaced")
        (one.model / "saved_model.pb").unlink()
        shutil.rmtree(one.model / "variables")
        shutil.copytree(folder, one.model, dirs_exist_ok=True)
        found.append(one)
    return found
