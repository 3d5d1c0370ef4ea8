"""Each test module belongs to one environment: those that say `pytest.mark.tf` to the component environment."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import (
    azure,
    azurite_server,
    bigquery,
    bqemulator_server,
    fakesnow_server,
    gcs,
    gcs_server,
    postgresql,
    postgresql_server,
    s3,
    s3_server,
    snowflake,
)  # fmt: skip
from tests.shared import shared
from tests.warm import warm, warm_interpreter

__all__ = [
    "azure", "azurite_server", "bigquery", "bqemulator_server", "fakesnow_server", "gcs", "gcs_server", "postgresql",
    "postgresql_server", "s3", "s3_server", "snowflake", "warm", "warm_interpreter",
]  # fmt: skip

ROOT = Path(__file__).parents[1]
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a module to the environment it is for."""
    if collection_path.suffix == ".py" and collection_path.name.startswith("test_"):
        return ("pytest.mark.tf" in collection_path.read_text()) is not HAS_TENSORFLOW or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that have a module's fixture in common in one worker; any other goes where there is room."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
        if any(found[-1].scope == "module" for found in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the monthly flight spans, prepared if need be."""
    with shared(tmp_path_factory, "flights", _flights) as folder:
        yield Path(folder)


@contextmanager
def _flights() -> Iterator[str]:
    folder = ROOT / "examples" / "flights" / "data"
    if not (folder / "span-12.parquet").exists():
        python = ROOT / ".venv" / "bin" / "python" if HAS_TENSORFLOW else Path(sys.executable)
        subprocess.run([python, ROOT / "examples" / "flights" / "prepare.py"], check=True)
    yield str(folder)
