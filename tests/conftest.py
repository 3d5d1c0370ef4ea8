"""Each test module belongs to one environment: those that say `pytest.mark.tf` to the component environment."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
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

__all__ = [
    "azure", "azurite_server", "bigquery", "bqemulator_server", "fakesnow_server", "gcs", "gcs_server", "postgresql",
    "postgresql_server", "s3", "s3_server", "snowflake",
]  # fmt: skip

ROOT = Path(__file__).parents[1]
HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a module to the environment it is for."""
    if collection_path.suffix == ".py" and collection_path.name.startswith("test_"):
        return ("pytest.mark.tf" in collection_path.read_text()) is not HAS_TENSORFLOW or None
    return None


@pytest.fixture(scope="session")
def flights() -> Path:
    """The folder of the monthly flight spans, prepared if need be."""
    folder = ROOT / "examples" / "flights" / "data"
    if not (folder / "span-12.parquet").exists():
        python = ROOT / ".venv" / "bin" / "python" if HAS_TENSORFLOW else Path(sys.executable)
        subprocess.run([python, ROOT / "examples" / "flights" / "prepare.py"], check=True)
    return folder
