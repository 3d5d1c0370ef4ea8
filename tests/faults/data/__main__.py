"""Print the tables, and exit with 1 where a rate is missed: python -m tests.faults.data [DRAWS]    (default: 300)"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from tests.faults.data.classes import faults
from tests.faults.data.planted import FLIGHTS, Found, alarms, plant, steps, untouched
from tests.faults.data.rates import CAUGHT, allowed_alarms
from tests.faults.data.tables import LARGE, SMALL, Table, month


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"{date.today()}, draws 0 to {draws - 1}: `.venv-components/bin/python -m tests.faults.data {draws}`\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        flights = list(plant(folder / "flights", LARGE[0], FLIGHTS, month(3)))
        _flights(flights)
        missed = _large(folder, flights, draws)
        missed += _small(folder, max(1, draws // 30))
        print("\n| month against the one before | verdict | why |\n| --- | --- | --- |")
        for number, verdict in steps(folder / "steps"):
            moved = "; ".join(
                sorted(f"{r.rule} {r.subject} {_figure(r.observed)}" for r in verdict.reasons if r.closes)
            )
            print(f"| {number} | {verdict.status} | {moved} |", flush=True)
    print(f"\nRates missed: {'; '.join(missed) or 'none'}.")
    sys.exit(1 if missed else 0)


def _figure(observed: object) -> str:
    return f"{observed:.3f}" if isinstance(observed, float) else str(observed)


def _flights(found: list[Found]) -> None:
    print(
        "| fault in flights | stated size | caught by | smallest size caught of | named elsewhere by | warned | inconclusive |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for held in found:
        sizes = ", ".join(f"{size:g}" for size in held.fault.sizes)
        smallest = "none" if held.smallest is None else f"{held.smallest:g}"
        rules = (", ".join(rules) for rules in (held.elsewhere, held.warned, held.inconclusive))
        print(f"| {held.fault.name} | {held.fault.sizes[0]:g} | {', '.join(held.caught) or 'NOT CAUGHT'} | {smallest} of {sizes} | "
              f"{' | '.join(rules)} |", flush=True)  # fmt: skip


def _large(folder: Path, flights: list[Found], draws: int) -> list[str]:
    """Faults caught and false alarms of each table; which rates are missed."""
    print(
        f"\n| table | faults | caught | warned only | inconclusive only | {draws} random halves: false alarms | warnings | inconclusive | by |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    missed, not_caught = [], []
    for table in LARGE:
        rows = table.rows(0)
        found = (
            flights
            if table is LARGE[0]
            else list(plant(folder / table.name, table, faults(table, rows), rows, smaller=False))
        )
        caught = [held for held in found if held.caught]
        lost = [held for held in found if not held.caught]
        warned = sum(bool(held.warned) for held in lost)
        unsure = sum(bool(held.inconclusive) and not held.warned for held in lost)
        false, warnings, inconclusive, by = _untouched(folder, table, range(draws))
        print(f"| {table.name} | {len(found)} | {len(caught)} ({len(caught) / len(found):.0%}) | {warned} | {unsure} | {false} | {warnings} | "
              f"{inconclusive} | {by} |", flush=True)  # fmt: skip
        not_caught += [f"{table.name}: {held.fault.name}" for held in lost]
        if len(caught) < CAUGHT * len(found):
            missed.append(f"{len(caught)} of {len(found)} faults in {table.name}, {CAUGHT:.0%} are asked for")
        if false > allowed_alarms(draws):
            missed.append(f"{false} false alarms in {draws} draws of {table.name}, {allowed_alarms(draws)} are allowed")
    print(f"\nNot caught: {'; '.join(not_caught) or 'none'}.")
    return missed


def _untouched(folder: Path, table: Table, draws: Iterable[int]) -> tuple[int, int, int, str]:
    """Draws with a false alarm, with a warning, and inconclusive ones; what the false alarms say."""
    false = warnings = inconclusive = 0
    said: Counter[str] = Counter()
    for verdict in untouched(folder, table, draws):
        errors = alarms(verdict)
        false += bool(errors)
        warnings += any(r.severity == "warning" and r.outcome != "passed" for r in verdict.reasons)
        inconclusive += verdict.status == "INCONCLUSIVE"
        said.update({f"{reason.rule} {reason.subject}" for reason in errors})
    return false, warnings, inconclusive, ", ".join(f"{what} ({times})" for what, times in said.most_common(5))


def _small(folder: Path, draws: int) -> list[str]:
    print(
        f"\n| smaller table | rows | columns | {draws} random halves: false alarms | warnings | inconclusive, with the rows wanted | by |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    missed = []
    for table in SMALL:
        rows = table.load()
        false, warnings, inconclusive, by = _untouched(folder, table, range(draws))
        print(
            f"| {table.name} | {len(rows):,} | {len(rows.columns)} | {false} | {warnings} | {inconclusive} | {by} |",
            flush=True,
        )
        if false:
            missed.append(f"{false} false alarms in {draws} draws of {table.name}, none is allowed")
    return missed


if __name__ == "__main__":
    main()
