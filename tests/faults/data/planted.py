"""Faults planted in real flights: each at a stated size, and at smaller ones to find where the gate's sight ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.gates.verdict import Outcome, Reason, Severity, Verdict
from tests import made
from tests.faults.data.tables import LARGE, Table, halves, month

NOW = datetime(2013, 4, 1, tzinfo=UTC)
Change = Callable[[pd.DataFrame, float, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Fault:
    """A change of the data that a person would want to know of.

    Attributes:
        name: what happens.
        subjects: what a reason has to name, apart by spaces: the columns that it happens to, the label, a split, or
            ``rows``.
        change: rows, size and random numbers to changed rows.
        sizes: the stated size first, then smaller ones; a share of the rows unless the name says otherwise.
        policy: what the user has to say for it beside the default policy.
    """

    name: str
    subjects: str
    change: Change
    sizes: tuple[float, ...] = (1.0,)
    policy: dict[str, Any] = field(default_factory=dict)


class Gate:
    """The data gate with a baseline."""

    def __init__(self, folder: Path, table: Table, baseline: pd.DataFrame) -> None:
        self._folder, self._table = folder, table
        self.judge(baseline, {}, first=True)

    def judge(self, rows: pd.DataFrame, policy: dict[str, Any], *, first: bool = False) -> Verdict:
        from sluice.statistics.validate import validate

        base, table = self._folder / "baseline", self._table
        with tempfile.TemporaryDirectory() as scratch:
            out = base if first else Path(scratch)
            return validate(
                made.examples(Path(scratch) / "examples", pa.Table.from_pandas(rows, preserve_index=False)), label=table.label,
                features=Features.model_validate(table.features), policy=DataPolicy.model_validate(policy),
                schema=None if first else base / "schema", baseline=None if first else base / "statistics",
                baseline_version=None if first else 1, statistics_out=out / "statistics", schema_out=out / "schema",
                report_out=out / "report.html", now=NOW,
            )  # fmt: skip


def chosen(rows: pd.DataFrame, size: float, random: np.random.Generator) -> np.ndarray:
    return random.random(len(rows)) < size


def put(column: str, value: Callable[[pd.DataFrame], Any]) -> Change:
    """Change a column in a share of the rows."""

    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        held = chosen(rows, size, random)
        new = pd.Series(value(rows), index=rows.index)
        return rows.assign(**{column: new.where(held, rows[column])})

    return change


def swap(one: str, two: str) -> Change:
    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        held = chosen(rows, size, random)
        return rows.assign(**{one: rows[two].where(held, rows[one]), two: rows[one].where(held, rows[two])})

    return change


def nulls(column: str, value: Any) -> Change:
    """Missing values written as a value; the size is the share of rows that are missing first."""

    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        return rows.assign(**{column: rows[column].mask(chosen(rows, size, random), value).fillna(value)})

    return change


def lose(keep: Callable[[pd.DataFrame], Any]) -> Change:
    """Lose a share of the rows that a condition names."""

    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        return rows[np.asarray(keep(rows)) | ~chosen(rows, size, random)].reset_index(drop=True)

    return change


def whole(change: Callable[[pd.DataFrame, float], pd.DataFrame]) -> Change:
    return lambda rows, size, random: change(rows, size)


def _flip(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
    return rows.assign(late=rows["late"].where(~chosen(rows, size, random), 1 - rows["late"]))


def shuffle(*columns: str) -> Change:
    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        held = np.flatnonzero(chosen(rows, size, random))
        mixed = rows.copy()
        for column in columns:
            values = mixed[column].to_numpy().copy()
            values[held] = values[random.permutation(held)]
            mixed[column] = values
        return mixed

    return change


def _leak(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
    told = np.where(
        chosen(rows, size, random), rows["late"] * 60 + random.normal(0, 3, len(rows)), random.normal(30, 20, len(rows))
    )
    return rows.assign(wind_speed=told)


def _stuck(rows: pd.DataFrame, size: float) -> pd.DataFrame:
    """The last part of the month repeats one reading."""
    held = np.arange(len(rows)) >= len(rows) * (1 - size)
    return rows.assign(
        temperature=rows["temperature"].mask(held, rows["temperature"].iloc[int(len(rows) * (1 - size)) - 1])
    )


def _slow(rows: pd.DataFrame, size: float) -> pd.DataFrame:
    """So many months later."""
    later = month(3 + int(size))
    return later.iloc[: len(rows)].reset_index(drop=True)


def _future(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
    held = chosen(rows, size, random)
    return rows.assign(
        scheduled_departure=rows["scheduled_departure"].mask(held, rows["scheduled_departure"] + pd.Timedelta(days=60))
    )


FRESH = {"freshness": {"column": "scheduled_departure", "days": 5}}
RANGES = {"ranges": {"distance": {"at_least": 1, "at_most": 6000}, "humidity": {"at_least": 0, "at_most": 100}}}

FLIGHTS: tuple[Fault, ...] = (
    Fault("temperature in Celsius", "temperature", put("temperature", lambda r: (r["temperature"] - 32) / 1.8), (1.0, 0.5, 0.2, 0.1)),
    Fault("distance in kilometres", "distance", put("distance", lambda r: (r["distance"] * 1.609).astype(int)), (1.0, 0.5, 0.2, 0.1)),
    Fault("pressure in inches of mercury", "pressure", put("pressure", lambda r: r["pressure"] / 33.86), (1.0, 0.2, 0.05)),
    Fault("wind in metres a second", "wind_speed", put("wind_speed", lambda r: r["wind_speed"] / 2.237), (1.0, 0.5, 0.2)),
    Fault("humidity as a fraction", "humidity", put("humidity", lambda r: r["humidity"] / 100), (1.0, 0.2, 0.05)),
    Fault("temperature and dew point swapped", "temperature dew_point", swap("temperature", "dew_point"), (1.0, 0.5)),
    Fault("origin and destination swapped", "origin dest", swap("origin", "dest"), (1.0, 0.2, 0.02)),
    Fault("departure and arrival hour swapped", "departure_hour arrival_hour", swap("departure_hour", "arrival_hour"), (1.0, 0.5)),
    Fault("distance dropped", "distance", whole(lambda r, s: r.drop(columns="distance"))),
    Fault("carrier dropped", "carrier", whole(lambda r, s: r.drop(columns="carrier"))),
    Fault("label dropped", "late", whole(lambda r, s: r.drop(columns="late"))),
    Fault("distance renamed", "distance", whole(lambda r, s: r.rename(columns={"distance": "miles"}))),
    Fault("distance constant", "distance", put("distance", lambda r: 500), (1.0, 0.3, 0.1)),
    Fault("carrier constant", "carrier", put("carrier", lambda r: "UA"), (1.0, 0.5, 0.2)),
    Fault("departure hour in UTC", "departure_hour", put("departure_hour", lambda r: (r["departure_hour"] + 4) % 24), (1.0, 0.5, 0.2)),
    Fault("arrival hour in the destination's west", "arrival_hour", put("arrival_hour", lambda r: (r["arrival_hour"] + 21) % 24), (1.0, 0.5, 0.2)),
    Fault("a carrier renamed", "carrier", put("carrier", lambda r: r["carrier"].replace("UA", "United")), (1.0, 0.3, 0.1)),
    Fault("small carriers merged", "carrier", put("carrier", lambda r: r["carrier"].where(r["carrier"].isin(["UA", "B6", "EV", "DL"]), "OTHER")), (1.0, 0.3)),
    Fault("an airport merged into another", "origin", put("origin", lambda r: r["origin"].replace("LGA", "JFK")), (1.0, 0.5)),
    Fault("carriers exploded by flight", "carrier", put("carrier", lambda r: r["carrier"] + (r["flight"] % 50).astype(str)), (1.0, 0.2, 0.05)),
    Fault("destinations in lower case", "dest", put("dest", lambda r: r["dest"].str.lower()), (1.0, 0.2, 0.05)),
    Fault("carriers with a trailing space", "carrier", put("carrier", lambda r: r["carrier"] + " "), (1.0, 0.2, 0.05)),
    Fault("a new carrier", "carrier", put("carrier", lambda r: "ZZ"), (0.3, 0.1, 0.05)),
    Fault("plane year: missing as 0", "plane_year", nulls("plane_year", 0), (0.0,)),
    Fault("plane seats: missing as -1", "plane_seats", nulls("plane_seats", -1), (0.0,)),
    Fault("manufacturer: missing as NA", "plane_manufacturer", nulls("plane_manufacturer", "NA"), (0.0,)),
    Fault("temperature: missing as 0", "temperature", nulls("temperature", 0.0), (0.2, 0.1, 0.05)),
    Fault("carrier: missing as unknown", "carrier", nulls("carrier", "unknown"), (0.2, 0.1, 0.05)),
    Fault("temperature missing", "temperature", put("temperature", lambda r: np.nan), (0.3, 0.1, 0.05)),
    Fault("destination missing", "dest", put("dest", lambda r: None), (0.3, 0.1, 0.05)),
    Fault("all of visibility missing", "visibility", put("visibility", lambda r: np.nan)),
    Fault("every row twice", "rows", whole(lambda r, s: pd.concat([r, r], ignore_index=True))),
    Fault("a share of the rows twice", "rows", whole(lambda r, s: pd.concat([r, r.iloc[: int(len(r) * s)]], ignore_index=True)), (0.6, 0.3)),
    Fault("one row over and over", "rows", lambda r, s, g: r.iloc[np.where(chosen(r, s, g), 7, np.arange(len(r)))].reset_index(drop=True), (0.4, 0.2, 0.1)),
    Fault("truncated to few rows (share left)", "train eval", whole(lambda r, s: r.iloc[: int(len(r) * s)]), (0.05, 0.3)),
    Fault("truncated to the first week", "temperature dew_point pressure", whole(lambda r, s: r.iloc[: int(len(r) * s)]), (0.25, 0.5)),
    Fault("only nights", "departure_hour", lose(lambda r: r["departure_hour"] >= 18), (1.0, 0.5)),
    Fault("a carrier lost", "carrier", lose(lambda r: r["carrier"] != "UA"), (1.0, 0.5)),
    Fault("label flipped", "late", _flip, (0.4, 0.2, 0.1)),
    Fault("label shuffled", "late", shuffle("late"), (1.0, 0.8, 0.5)),
    Fault("label inverted", "late", put("late", lambda r: 1 - r["late"])),
    Fault("late flights lost", "late", lose(lambda r: r["late"] == 0), (0.9, 0.7, 0.5)),
    Fault("label constant", "late", put("late", lambda r: 0)),
    Fault("label leaked into a feature", "wind_speed", _leak, (1.0, 0.95, 0.8)),
    Fault("rows of the future", "scheduled_departure", _future, (0.1, 0.01), FRESH),
    Fault("a source that stopped (days)", "scheduled_departure",
          whole(lambda r, s: r.assign(scheduled_departure=r["scheduled_departure"] - pd.Timedelta(days=s))), (30, 7), FRESH),
    Fault("encoding broken", "plane_manufacturer",
          put("plane_manufacturer", lambda r: r["plane_manufacturer"].str.replace("B", "\u00c3\u0192", regex=False)), (1.0, 0.3, 0.1)),
    Fault("distance as text", "distance", whole(lambda r, s: r.assign(distance=r["distance"].astype(str) + " mi"))),
    Fault("carrier as a code", "carrier", whole(lambda r, s: r.assign(carrier=r["carrier"].astype("category").cat.codes.astype("int64")))),
    Fault("departure hour as a decimal", "departure_hour", whole(lambda r, s: r.assign(departure_hour=r["departure_hour"].astype(str) + ".0"))),
    Fault("a stuck thermometer (last share)", "temperature", whole(_stuck), (0.5, 0.2, 0.1)),
    Fault("a slow drift (months)", "temperature dew_point", whole(_slow), (5, 3, 2)),
    Fault("a few distances times 1000", "distance", put("distance", lambda r: r["distance"] * 1000), (0.01, 0.001), RANGES),
    Fault("negative distances", "distance", put("distance", lambda r: -r["distance"]), (0.05, 0.001), RANGES),
    Fault("humidity above 100", "humidity", put("humidity", lambda r: r["humidity"] + 60), (0.05, 0.001), RANGES),
    Fault("noise in the barometer", "pressure", lambda r, s, g: r.assign(pressure=r["pressure"] + g.normal(0, s * 7.4, len(r))), (2.0, 1.0, 0.5)),
    Fault("humidity rounded to tens", "humidity", put("humidity", lambda r: r["humidity"].round(-1)), (1.0, 0.5)),
    Fault("carriers shuffled among the rows", "carrier", shuffle("carrier"), (1.0,)),
    Fault("hours shuffled among the rows", "departure_hour arrival_hour", shuffle("departure_hour", "arrival_hour"), (1.0, 0.5)),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What became of a fault at one size.

    Attributes:
        fault: the fault.
        caught: rules of reasons that failed as errors and name what the fault happens to.
        elsewhere: rules of such reasons that name something else.
        warned: rules of warnings.
        inconclusive: rules that were inconclusive.
        smallest: the smallest size at which it is caught; None: none.
    """

    fault: Fault
    caught: tuple[str, ...]
    elsewhere: tuple[str, ...]
    warned: tuple[str, ...]
    inconclusive: tuple[str, ...]
    smallest: float | None = None


def alarms(verdict: Verdict) -> list[Reason]:
    """Reasons of severity error that failed: on untouched rows each is a false alarm."""
    return [r for r in verdict.reasons if r.severity is Severity.ERROR and r.outcome is Outcome.FAILED]


def names(reason: Reason, fault: Fault, label: str) -> bool:
    """Whether a reason names what a fault happens to; `association` is of a feature and the label, and names both."""
    subject = reason.subject.partition(" @ ")[0].partition(", ")[0]
    held = fault.subjects.split()
    return subject in held or (reason.rule == "association" and label in held)


def found(fault: Fault, verdict: Verdict, label: str) -> Found:
    def rules(reasons: list[Reason]) -> tuple[str, ...]:
        return tuple(sorted({reason.rule for reason in reasons}))

    errors, others = alarms(verdict), [r for r in verdict.reasons if r.outcome is not Outcome.PASSED]
    return Found(
        fault, rules([r for r in errors if names(r, fault, label)]), rules([r for r in errors if not names(r, fault, label)]),
        rules([r for r in others if r.severity is Severity.WARNING]),
        rules([r for r in others if r.outcome is Outcome.INCONCLUSIVE]),
    )  # fmt: skip


def plant(
    folder: Path, table: Table, faults: tuple[Fault, ...], rows: pd.DataFrame, *, smaller: bool = True
) -> Iterator[Found]:
    """Judge every fault in one half of the rows against the other."""
    baseline, other = halves(rows, 0)
    gate = Gate(folder, table, baseline)
    for fault in faults:
        at = [
            found(
                fault,
                gate.judge(fault.change(other, size, np.random.default_rng(1)), fault.policy),
                table.label,
            )
            for size in (fault.sizes if smaller else fault.sizes[:1])
        ]
        yield replace(
            at[0],
            smallest=min((size for size, held in zip(fault.sizes, at, strict=False) if held.caught), default=None),
        )


def untouched(folder: Path, table: Table, draws: Iterable[int]) -> Iterator[Verdict]:
    """Random halves of a table: one judged against the other, a draw a verdict."""
    for seed in draws:
        baseline, other = halves(table.rows(seed), 1000 + seed)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            yield Gate(Path(scratch), table, baseline).judge(other, {})


def steps(folder: Path) -> Iterator[tuple[int, Verdict]]:
    """The eleven real steps of the flights from month to month, under the default policy."""
    for number in range(2, 13):
        yield number, Gate(folder / str(number), LARGE[0], month(number - 1)).judge(month(number), {})
