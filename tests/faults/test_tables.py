"""The whole pipeline on a small table of several classes; `make faults` runs it on all."""

from __future__ import annotations

from pathlib import Path

from tests.faults.tables.__main__ import run, use_cases


def test_penguins_go_from_file_to_served_model(tmp_path: Path) -> None:
    (home,) = use_cases(tmp_path, "penguins")
    what, said = run(home)
    assert what == "promoted", said
