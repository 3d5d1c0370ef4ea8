"""Print the tables: python -m tests.faults.data [HALVES]    (default: 200)"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults.data.planted import FAULTS, plant, steps, wolves


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as scratch:
        folder, caught = Path(scratch), 0
        print("| fault | stated size | caught | by | smallest size caught of |\n| --- | --- | --- | --- | --- |")
        for found in plant(folder / "planted"):
            caught += found.caught
            sizes = ", ".join(f"{size:g}" for size in found.fault.sizes)
            print(f"| {found.fault.name} | {found.fault.sizes[0]:g} | {'yes' if found.caught else 'NO'} | {', '.join(found.rules)} | "
                  f"{'none' if found.smallest is None else f'{found.smallest:g}'} of {sizes} |", flush=True)  # fmt: skip
        print(f"\n{caught} of {len(FAULTS)} faults caught at their stated sizes ({caught / len(FAULTS):.0%})\n")
        print("| month against the one before | verdict | why |\n| --- | --- | --- |")
        for number, verdict in steps(folder / "steps"):
            moved = "; ".join(
                sorted(
                    f"{r.rule} {r.subject} {r.observed:.3f}"
                    if isinstance(r.observed, float)
                    else f"{r.rule} {r.subject} {r.observed}"
                    for r in verdict.reasons
                    if r.closes
                )
            )
            print(f"| {number} | {verdict.status} | {moved} |", flush=True)
        cries = wolves(folder / "halves", count)
        print(f"\nrandom halves of one month: {len(cries)} of {count} not blessed")
        for verdict in cries:
            print("; ".join(r.sentence for r in verdict.reasons if r.closes))


if __name__ == "__main__":
    main()
