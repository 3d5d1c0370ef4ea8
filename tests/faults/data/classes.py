"""The faults of the flights as classes, planted in any table: in every column where they can exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.faults.data.planted import Fault, chosen, lose, nulls, put, shuffle, swap, whole
from tests.faults.data.tables import Table

RELATED = 0.1
"""A shuffled column or label is a fault where the column ranks the label with an AUC so far from 1/2."""
UNITS: dict[str, Any] = {
    "in Celsius": lambda x: (x - 32) / 1.8, "in kilometres": lambda x: x * 1.609, "in inches of mercury": lambda x: x / 33.86,
    "as a fraction": lambda x: x / 100,
}  # fmt: skip


def faults(table: Table, rows: pd.DataFrame) -> tuple[Fault, ...]:
    """The faults that can exist in a table."""
    of = {kind: list(table.features.get(kind, [])) for kind in ("numeric", "categorical", "text")}
    numbers = [name for name in of["numeric"] if rows[name].nunique() > 2]
    texts = [
        name for kind in ("categorical", "text") for name in of[kind] if isinstance(rows[name].dropna().iloc[0], str)
    ]
    found = [fault for name in numbers for fault in _number(rows, name)]
    found += [fault for name in texts for fault in _category(rows, name)]
    if len(numbers) > 1:
        one, two = numbers[:2]
        found.append(Fault(f"{one} and {two} swapped", f"{one} {two}", swap(one, two)))
    two_classes = rows[table.label].nunique() == 2
    related = [
        name for name in (*numbers, *texts) if two_classes and abs(_area(rows, name, table.label) - 0.5) >= RELATED
    ]
    found += [Fault(f"{name} shuffled among the rows", name, shuffle(name)) for name in related]
    return (*found, *_rows(), *_label(rows, table.label, numbers, related=bool(related)))


def _number(rows: pd.DataFrame, name: str) -> Iterator[Fault]:
    held = rows[name].dropna()
    spread, high, low = float(held.std()), float(held.max()), float(held.min())
    ranges = {"ranges": {name: {"at_least": low, "at_most": high}}}
    for unit, change in UNITS.items():
        yield Fault(f"{name} {unit}", name, put(name, lambda r, change=change: change(r[name].astype(float))))
    yield Fault(f"{name} dropped", name, whole(lambda r, s: r.drop(columns=name)))
    yield Fault(f"{name} renamed", name, whole(lambda r, s: r.rename(columns={name: f"{name}_2"})))
    yield Fault(f"{name} constant", name, put(name, lambda r: held.iloc[0]))
    yield Fault(f"{name} missing", name, put(name, lambda r: np.nan), (0.3,))
    yield Fault(f"all of {name} missing", name, put(name, lambda r: np.nan))
    if rows[name].isna().mean() > 0.1:
        yield Fault(f"{name}: missing as -1", name, nulls(name, -1), (0.0,))
    yield Fault(f"{name} as text", name, whole(lambda r, s: r.assign(**{name: r[name].astype(str) + " mi"})))
    yield Fault(f"{name} stuck (last share)", name, whole(lambda r, s: _stuck(r, name, s)), (0.5,))
    if high > 0:
        beyond = rows[name] * 1000 > high
        if beyond.mean() > 0.1:
            yield Fault(f"a few of {name} times 1000", name, put(name, lambda r: r[name] * 1000), (0.01,), ranges)
        if low >= 0 and (rows[name] > 0).mean() > 0.1:
            yield Fault(f"negative {name}", name, put(name, lambda r: -r[name]), (0.05,), ranges)
    yield Fault(
        f"noise in {name}", name, lambda r, s, g: r.assign(**{name: r[name] + g.normal(0, s * spread, len(r))}), (2.0,)
    )
    yield Fault(f"{name} rounded to its deviation", name, put(name, lambda r: (r[name] / spread).round() * spread))
    yield Fault(f"only high {name}", name, lose(lambda r: (r[name] >= held.median()) | r[name].isna()), (1.0,))


def _category(rows: pd.DataFrame, name: str) -> Iterator[Fault]:
    ranked = rows[name].value_counts()
    first, second = ranked.index[:2]
    share = ranked / len(rows)
    common = share.iloc[0] >= 0.1  # the carrier that the flights lose is a sixth of them
    letter = max(
        (text[0] for text in ranked.index if text), key=lambda c: sum(share[t] for t in ranked.index if c in t)
    )
    yield Fault(f"{name} dropped", name, whole(lambda r, s: r.drop(columns=name)))
    yield Fault(f"{name} constant", name, put(name, lambda r: first))
    yield Fault(f"{name} exploded by row", name, put(name, lambda r: r[name] + (np.arange(len(r)) % 50).astype(str)))
    if (ranked.index.str.lower() != ranked.index).any():
        yield Fault(f"{name} in lower case", name, put(name, lambda r: r[name].str.lower()))
    yield Fault(f"{name} with a trailing space", name, put(name, lambda r: r[name] + " "))
    yield Fault(f"a new {name}", name, put(name, lambda r: "ZZ"), (0.3,))
    yield Fault(f"{name}: missing as unknown", name, nulls(name, "unknown"), (0.2,))
    yield Fault(f"{name} missing", name, put(name, lambda r: None), (0.3,))
    yield Fault(
        f"encoding of {name} broken",
        name,
        put(name, lambda r: r[name].str.replace(letter, "\u00c3\u0192", regex=False)),
    )
    codes = {value: number for number, value in enumerate(sorted(ranked.index))}
    yield Fault(f"{name} as a code", name, whole(lambda r, s: r.assign(**{name: r[name].map(codes)})))
    if common:
        yield Fault(f"a {name} renamed", name, put(name, lambda r: r[name].replace(first, "Renamed")))
        yield Fault(f"a {name} merged into another", name, put(name, lambda r: r[name].replace(first, second)))
        yield Fault(f"a {name} lost", name, lose(lambda r: r[name] != first))
    if share.iloc[4:].sum() > 0.05:
        large = list(ranked.index[:4])
        yield Fault(f"small {name} merged", name, put(name, lambda r: r[name].where(r[name].isin(large), "OTHER")))


def _rows() -> Iterator[Fault]:
    yield Fault("every row twice", "rows", whole(lambda r, s: pd.concat([r, r], ignore_index=True)))
    yield Fault(
        "a share of the rows twice",
        "rows",
        whole(lambda r, s: pd.concat([r, r.iloc[: int(len(r) * s)]], ignore_index=True)),
        (0.6,),
    )
    yield Fault(
        "one row over and over",
        "rows",
        lambda r, s, g: r.iloc[np.where(chosen(r, s, g), 7, np.arange(len(r)))].reset_index(drop=True),
        (0.4,),
    )


def _label(rows: pd.DataFrame, label: str, numbers: list[str], *, related: bool) -> Iterator[Fault]:
    ranked = rows[label].value_counts()
    yield Fault("label dropped", label, whole(lambda r, s: r.drop(columns=label)))
    yield Fault("label constant", label, put(label, lambda r: ranked.index[0]))
    if len(ranked) > 20:
        for unit, change in UNITS.items():
            yield Fault(f"label {unit}", label, put(label, lambda r, change=change: change(r[label].astype(float))))
        return
    yield Fault("a class lost", label, lose(lambda r: r[label] != ranked.index[0]), (0.9,))
    if len(ranked) > 2:
        return
    zero, one = sorted(ranked.index)
    other = lambda r: r[label].map({zero: one, one: zero})  # noqa: E731
    if abs(ranked.iloc[0] / len(rows) - 0.5) > 0.1 or related:
        yield Fault("label flipped", label, put(label, other), (0.4,))
        yield Fault("label inverted", label, put(label, other))
    if related:
        yield Fault("label shuffled", label, shuffle(label))
    if numbers:
        yield Fault("label leaked into a feature", numbers[0], lambda r, s, g: r.assign(
            **{numbers[0]: (r[label] == one) * 60.0 + g.normal(0, 3, len(r))}))  # fmt: skip


def _stuck(rows: pd.DataFrame, name: str, size: float) -> pd.DataFrame:
    start = int(len(rows) * (1 - size))
    return rows.assign(**{name: rows[name].mask(np.arange(len(rows)) >= start, rows[name].dropna().iloc[0])})


def _area(rows: pd.DataFrame, name: str, label: str) -> float:
    """AUC of the label's rate by value, or by tenth of a number."""
    groups = pd.qcut(rows[name], 10, duplicates="drop") if rows[name].dtype != object else rows[name]
    up = rows[label] == sorted(rows[label].unique())[-1]
    rate = up.groupby(groups, observed=True).transform("mean").fillna(up.mean())
    ranks = rate.rank()
    ups, downs = int(up.sum()), int((~up).sum())
    return float((ranks[up].sum() - ups * (ups + 1) / 2) / (ups * downs))
