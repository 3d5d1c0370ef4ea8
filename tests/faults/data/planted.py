"""Faults planted in real flights: each at a stated size, and at smaller ones to find where the gate's sight ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.gates.verdict import Verdict
from tests import made

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights"
NOW = datetime(2013, 4, 1, tzinfo=UTC)
Change = Callable[[pd.DataFrame, float, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Fault:
    """A change of the data that a person would want to know of.

    Attributes:
        name: what happens.
        change: rows, size and random numbers to changed rows.
        sizes: the stated size first, then smaller ones; a share of the rows unless the name says otherwise.
        policy: what the user has to say for it beside the default policy.
    """

    name: str
    change: Change
    sizes: tuple[float, ...] = (1.0,)
    policy: dict[str, Any] = field(default_factory=dict)


def features() -> Features:
    return Features.model_validate(yaml.safe_load((FLIGHTS / "sluice.yaml").read_text())["features"])


def month(number: int) -> pd.DataFrame:
    return pd.read_parquet(FLIGHTS / "data" / f"span-{number:02d}.parquet")


def halves(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    mixed = np.random.default_rng(seed).permutation(len(rows))
    return tuple(rows.iloc[np.sort(part)].reset_index(drop=True) for part in np.array_split(mixed, 2))  # type: ignore[return-value]


class Gate:
    """The data gate with a baseline."""

    def __init__(self, folder: Path, baseline: pd.DataFrame) -> None:
        self._folder = folder
        self.judge(baseline, {}, first=True)

    def judge(self, rows: pd.DataFrame, policy: dict[str, Any], *, first: bool = False) -> Verdict:
        from sluice.statistics.validate import validate

        base = self._folder / "baseline"
        with tempfile.TemporaryDirectory() as scratch:
            out = base if first else Path(scratch)
            table = pa.Table.from_pandas(rows, preserve_index=False)
            return validate(
                made.examples(Path(scratch) / "examples", table), label="late", features=features(), policy=DataPolicy.model_validate(policy),
                schema=None if first else base / "schema", baseline=None if first else base / "statistics",
                baseline_version=None if first else 1, statistics_out=out / "statistics", schema_out=out / "schema",
                report_out=out / "report.html", now=NOW,
            )  # fmt: skip


def _some(rows: pd.DataFrame, size: float, random: np.random.Generator) -> np.ndarray:
    return random.random(len(rows)) < size


def _set(column: str, value: Callable[[pd.DataFrame], Any]) -> Change:
    """Change a column in a share of the rows."""

    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        held = _some(rows, size, random)
        new = pd.Series(value(rows), index=rows.index)
        return rows.assign(**{column: new.where(held, rows[column])})

    return change


def _swap(one: str, two: str) -> Change:
    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        held = _some(rows, size, random)
        return rows.assign(**{one: rows[two].where(held, rows[one]), two: rows[one].where(held, rows[two])})

    return change


def _nulls(column: str, value: Any) -> Change:
    """Missing values written as a value; the size is the share of rows that are missing first."""

    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        return rows.assign(**{column: rows[column].mask(_some(rows, size, random), value).fillna(value)})

    return change


def _filter(keep: Callable[[pd.DataFrame], Any]) -> Change:
    """Lose a share of the rows that a condition names."""

    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        return rows[np.asarray(keep(rows)) | ~_some(rows, size, random)].reset_index(drop=True)

    return change


def _table(change: Callable[[pd.DataFrame, float], pd.DataFrame]) -> Change:
    return lambda rows, size, random: change(rows, size)


def _flip(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
    return rows.assign(late=rows["late"].where(~_some(rows, size, random), 1 - rows["late"]))


def _shuffle(*columns: str) -> Change:
    def change(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
        held = np.flatnonzero(_some(rows, size, random))
        mixed = rows.copy()
        for column in columns:
            values = mixed[column].to_numpy().copy()
            values[held] = values[random.permutation(held)]
            mixed[column] = values
        return mixed

    return change


def _leak(rows: pd.DataFrame, size: float, random: np.random.Generator) -> pd.DataFrame:
    told = np.where(
        _some(rows, size, random), rows["late"] * 60 + random.normal(0, 3, len(rows)), random.normal(30, 20, len(rows))
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
    held = _some(rows, size, random)
    return rows.assign(
        scheduled_departure=rows["scheduled_departure"].mask(held, rows["scheduled_departure"] + pd.Timedelta(days=60))
    )


FRESH = {"freshness": {"column": "scheduled_departure", "days": 5}}
RANGES = {"ranges": {"distance": {"at_least": 1, "at_most": 6000}, "humidity": {"at_least": 0, "at_most": 100}}}

FAULTS: tuple[Fault, ...] = (
    Fault("temperature in Celsius", _set("temperature", lambda r: (r["temperature"] - 32) / 1.8), (1.0, 0.5, 0.2, 0.1)),
    Fault("distance in kilometres", _set("distance", lambda r: (r["distance"] * 1.609).astype(int)), (1.0, 0.5, 0.2, 0.1)),
    Fault("pressure in inches of mercury", _set("pressure", lambda r: r["pressure"] / 33.86), (1.0, 0.2, 0.05)),
    Fault("wind in metres a second", _set("wind_speed", lambda r: r["wind_speed"] / 2.237), (1.0, 0.5, 0.2)),
    Fault("humidity as a fraction", _set("humidity", lambda r: r["humidity"] / 100), (1.0, 0.2, 0.05)),
    Fault("temperature and dew point swapped", _swap("temperature", "dew_point"), (1.0, 0.5)),
    Fault("origin and destination swapped", _swap("origin", "dest"), (1.0, 0.2, 0.02)),
    Fault("departure and arrival hour swapped", _swap("departure_hour", "arrival_hour"), (1.0, 0.5)),
    Fault("distance dropped", _table(lambda r, s: r.drop(columns="distance"))),
    Fault("carrier dropped", _table(lambda r, s: r.drop(columns="carrier"))),
    Fault("label dropped", _table(lambda r, s: r.drop(columns="late"))),
    Fault("distance renamed", _table(lambda r, s: r.rename(columns={"distance": "miles"}))),
    Fault("distance constant", _set("distance", lambda r: 500), (1.0, 0.3, 0.1)),
    Fault("carrier constant", _set("carrier", lambda r: "UA"), (1.0, 0.5, 0.2)),
    Fault("departure hour in UTC", _set("departure_hour", lambda r: (r["departure_hour"] + 4) % 24), (1.0, 0.5, 0.2)),
    Fault("arrival hour in the destination's west", _set("arrival_hour", lambda r: (r["arrival_hour"] + 21) % 24), (1.0, 0.5, 0.2)),
    Fault("a carrier renamed", _set("carrier", lambda r: r["carrier"].replace("UA", "United")), (1.0, 0.3, 0.1)),
    Fault("small carriers merged", _set("carrier", lambda r: r["carrier"].where(r["carrier"].isin(["UA", "B6", "EV", "DL"]), "OTHER")), (1.0, 0.3)),
    Fault("an airport merged into another", _set("origin", lambda r: r["origin"].replace("LGA", "JFK")), (1.0, 0.5)),
    Fault("carriers exploded by flight", _set("carrier", lambda r: r["carrier"] + (r["flight"] % 50).astype(str)), (1.0, 0.2, 0.05)),
    Fault("destinations in lower case", _set("dest", lambda r: r["dest"].str.lower()), (1.0, 0.2, 0.05)),
    Fault("carriers with a trailing space", _set("carrier", lambda r: r["carrier"] + " "), (1.0, 0.2, 0.05)),
    Fault("a new carrier", _set("carrier", lambda r: "ZZ"), (0.3, 0.1, 0.05)),
    Fault("plane year: missing as 0", _nulls("plane_year", 0), (0.0,)),
    Fault("plane seats: missing as -1", _nulls("plane_seats", -1), (0.0,)),
    Fault("manufacturer: missing as NA", _nulls("plane_manufacturer", "NA"), (0.0,)),
    Fault("temperature: missing as 0", _nulls("temperature", 0.0), (0.2, 0.1, 0.05)),
    Fault("carrier: missing as unknown", _nulls("carrier", "unknown"), (0.2, 0.1, 0.05)),
    Fault("temperature missing", _set("temperature", lambda r: np.nan), (0.3, 0.1, 0.05)),
    Fault("destination missing", _set("dest", lambda r: None), (0.3, 0.1, 0.05)),
    Fault("all of visibility missing", _set("visibility", lambda r: np.nan)),
    Fault("every row twice", _table(lambda r, s: pd.concat([r, r], ignore_index=True))),
    Fault("a share of the rows twice", _table(lambda r, s: pd.concat([r, r.iloc[: int(len(r) * s)]], ignore_index=True)), (0.6, 0.3)),
    Fault("one row over and over", lambda r, s, g: r.iloc[np.where(_some(r, s, g), 7, np.arange(len(r)))].reset_index(drop=True), (0.4, 0.2, 0.1)),
    Fault("truncated to few rows (share left)", _table(lambda r, s: r.iloc[: int(len(r) * s)]), (0.05, 0.3)),
    Fault("truncated to the first week", _table(lambda r, s: r.iloc[: int(len(r) * s)]), (0.25, 0.5)),
    Fault("only nights", _filter(lambda r: r["departure_hour"] >= 18), (1.0, 0.5)),
    Fault("a carrier lost", _filter(lambda r: r["carrier"] != "UA"), (1.0, 0.5)),
    Fault("label flipped", _flip, (0.4, 0.2, 0.1)),
    Fault("label shuffled", _shuffle("late"), (1.0, 0.8, 0.5)),
    Fault("label inverted", _set("late", lambda r: 1 - r["late"])),
    Fault("late flights lost", _filter(lambda r: r["late"] == 0), (0.9, 0.7, 0.5)),
    Fault("label constant", _set("late", lambda r: 0)),
    Fault("label leaked into a feature", _leak, (1.0, 0.95, 0.8)),
    Fault("rows of the future", _future, (0.1, 0.01), FRESH),
    Fault("a source that stopped (days)", _table(lambda r, s: r.assign(scheduled_departure=r["scheduled_departure"] - pd.Timedelta(days=s))), (30, 7), FRESH),
    Fault("encoding broken", _set("plane_manufacturer", lambda r: r["plane_manufacturer"].str.replace("B", "\u00c3\u0192", regex=False)), (1.0, 0.3, 0.1)),
    Fault("distance as text", _table(lambda r, s: r.assign(distance=r["distance"].astype(str) + " mi"))),
    Fault("carrier as a code", _table(lambda r, s: r.assign(carrier=r["carrier"].astype("category").cat.codes.astype("int64")))),
    Fault("departure hour as a decimal", _table(lambda r, s: r.assign(departure_hour=r["departure_hour"].astype(str) + ".0"))),
    Fault("a stuck thermometer (last share)", _table(_stuck), (0.5, 0.2, 0.1)),
    Fault("a slow drift (months)", _table(_slow), (5, 3, 2)),
    Fault("a few distances times 1000", _set("distance", lambda r: r["distance"] * 1000), (0.01, 0.001), RANGES),
    Fault("negative distances", _set("distance", lambda r: -r["distance"]), (0.05, 0.001), RANGES),
    Fault("humidity above 100", _set("humidity", lambda r: r["humidity"] + 60), (0.05, 0.001), RANGES),
    Fault("noise in the barometer", lambda r, s, g: r.assign(pressure=r["pressure"] + g.normal(0, s * 7.4, len(r))), (2.0, 1.0, 0.5)),
    Fault("humidity rounded to tens", _set("humidity", lambda r: r["humidity"].round(-1)), (1.0, 0.5)),
    Fault("carriers shuffled among the rows", _shuffle("carrier"), (1.0,)),
    Fault("hours shuffled among the rows", _shuffle("departure_hour", "arrival_hour"), (1.0, 0.5)),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What became of a fault."""

    fault: Fault
    caught: bool
    rules: tuple[str, ...]
    smallest: float | None


def plant(folder: Path, faults: tuple[Fault, ...] = FAULTS, *, smaller: bool = True) -> Iterator[Found]:
    """Judge every fault in the second half of March against the first."""
    baseline, rows = halves(month(3), 0)
    gate = Gate(folder, baseline)
    for fault in faults:
        caught: list[tuple[float, tuple[str, ...]]] = []
        for size in fault.sizes if smaller else fault.sizes[:1]:
            verdict = gate.judge(fault.change(rows, size, np.random.default_rng(1)), fault.policy)
            rules = tuple(sorted({r.rule for r in verdict.reasons if r.closes}))
            caught.append((size, rules))
        yield Found(fault, bool(caught[0][1]), caught[0][1], min((s for s, r in caught if r), default=None))


def wolves(folder: Path, count: int, month_number: int = 5) -> list[Verdict]:
    """Random halves of one month: verdicts that are not BLESSED."""
    rows, cries = month(month_number), []
    for seed in range(count):
        baseline, other = halves(rows, 1000 + seed)
        verdict = Gate(folder / str(seed), baseline).judge(other, {})
        if not verdict.blessed:
            cries.append(verdict)
    return cries


def steps(folder: Path) -> Iterator[tuple[int, Verdict]]:
    """The eleven real steps from month to month, under the default policy."""
    for number in range(2, 13):
        yield number, Gate(folder / str(number), month(number - 1)).judge(month(number), {})
