"""A use case of each table: its rows as a file, and a minimal sluice.yaml. python -m tests.faults.data.use_cases FOLDER NAME..."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tests.faults.data.tables import LARGE, SMALL, Table


def write(folder: Path, table: Table) -> Path:
    """Rows and sluice.yaml; returns the use case's folder."""
    home = folder / table.name
    home.mkdir(parents=True)
    rows = table.rows(0)
    rows.to_parquet(home / "rows.parquet", index=False)
    (home / "sluice.yaml").write_text(yaml.safe_dump(content(table, len(rows)), sort_keys=False))
    return home


def content(table: Table, rows: int) -> dict[str, Any]:
    """What has to be said, and what a small table, or one whose rows repeat by nature, has to be told."""
    metric = "mae" if table.task == "regression" else "accuracy"
    return {
        "name": table.name.replace("_", "-"), "source": {"uri": "rows.parquet"}, "label": {"column": table.label, "task": table.task},
        **({"features": table.features} if table.features else {}),
        "policies": {
            "data": {**table.first, **({"min_rows": 10} if rows < 6000 else {})},
            "model": {"rules": [{"metric": metric, "non_inferior_by": 0.1}]},
        },
        "destination": "published", "ledger": "ledger",
    }  # fmt: skip


def main() -> None:
    folder, *names = sys.argv[1:]
    for table in (*LARGE, *SMALL):
        if not names or table.name in names:
            print(write(Path(folder), table))


if __name__ == "__main__":
    main()
