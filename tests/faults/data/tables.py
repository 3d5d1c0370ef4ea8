"""Tables of other shapes than the flights: what a minimal sluice.yaml says of each, and how its rows come in."""

from __future__ import annotations

import importlib.util
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

EXAMPLE = Path(__file__).parents[3] / "examples" / "flights"
DRAWN = 20_000
"""Rows of a larger table that a draw takes."""


@dataclass(frozen=True)
class Table:
    """A table, and what a use case says of it.

    Attributes:
        name: its name.
        load: gives its rows.
        label: the label's column.
        features: as in sluice.yaml.
        first: what `policies.data` has to say for a first run, which has no baseline to tell what is natural.
        task: as `label.task` in sluice.yaml.
    """

    name: str
    load: Callable[[], pd.DataFrame]
    label: str
    features: dict[str, Any]
    first: dict[str, Any] = field(default_factory=dict)
    task: str = "auto"

    def rows(self, seed: int) -> pd.DataFrame:
        """All rows, or so many of a large table, in seeded order."""
        held = self.load()
        order = np.random.default_rng(seed).permutation(len(held))[:DRAWN]
        return held.iloc[np.sort(order)].reset_index(drop=True)


def halves(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two random halves, each in the rows' own order."""
    mixed = np.random.default_rng(seed).permutation(len(rows))
    one, two = (rows.iloc[np.sort(part)].reset_index(drop=True) for part in np.array_split(mixed, 2))
    return one, two


def _package(name: str, file: str) -> Path:
    """A file of a package that is not imported: causaldata's own import needs statsmodels."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {name} is not installed: run build/environments")
    return Path(spec.submodule_search_locations[0]) / file


def month(number: int) -> pd.DataFrame:
    """The flights of a month."""
    return pd.read_parquet(EXAMPLE / "data" / f"span-{number:02d}.parquet")


def flights_features() -> dict[str, Any]:
    """As the example's sluice.yaml names them."""
    return dict(yaml.safe_load((EXAMPLE / "sluice.yaml").read_text())["features"])


def _mortgages() -> pd.DataFrame:
    return pd.read_csv(_package("causaldata", "mortgages/fetter_mortgages.csv"))


def _inspections() -> pd.DataFrame:
    return pd.read_csv(_package("causaldata", "restaurant_inspections/restaurant_data.csv"))


def _scorecard() -> pd.DataFrame:
    held = pd.read_stata(_package("causaldata", "scorecard/scorecard.dta"))
    return held.assign(pred_degree_awarded_ipeds=held["pred_degree_awarded_ipeds"].astype(str))


def _elections() -> pd.DataFrame:
    held = pd.read_stata(_package("causaldata", "close_elections_lmb/close_elections_lmb.dta"))
    return held.assign(state=held["state"].astype(str))


def _titanic() -> pd.DataFrame:
    return pd.read_stata(_package("causaldata", "titanic/titanic.dta")).astype(str)


def _health() -> pd.DataFrame:
    held = pd.read_stata(_package("causaldata", "nhefs/nhefs.dta"))
    return held.assign(**{name: held[name].astype(str) for name in ("sex", "race", "education", "active", "exercise")})


def _senators() -> pd.DataFrame:
    return pd.read_csv(_package("causaldata", "black_politicians/black_politicians.csv"))


def _penguins() -> pd.DataFrame:
    return pd.read_csv(_package("palmerpenguins", "data/penguins.csv"))


def _built_in(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        from sklearn import datasets

        held = getattr(datasets, f"load_{name}")(as_frame=True).frame
        return held.rename(columns=lambda column: column.replace(" ", "_").replace("(", "").replace(")", ""))

    return load


def wide(rows: int = 4000, columns: int = 300) -> pd.DataFrame:
    """Many numbers and categories, a few of which say something of the label."""
    random = np.random.default_rng(7)
    numbers = {f"n{i:03d}": random.normal(size=rows).round(4) for i in range(columns // 2)}
    shares = 1 / np.arange(1, 31) ** 1.3
    texts = {
        f"c{i:03d}": random.choice([f"v{k}" for k in range(30)], rows, p=shares / shares.sum())
        for i in range(columns // 2)
    }
    chance = 1 / (1 + np.exp(-(numbers["n000"] + 0.5 * numbers["n001"])))
    return pd.DataFrame({**numbers, **texts, "label": (random.random(rows) < chance).astype(np.int64)})


def texts(rows: int = 4000) -> pd.DataFrame:
    """Reviews of words by Zipf's law, a few of which go with praise; an author each, and a place."""
    random = np.random.default_rng(8)
    letters = list(string.ascii_lowercase)
    words = ["".join(random.choice(letters, random.integers(2, 10))) for _ in range(3000)]
    zipf = 1 / np.arange(1, 3001)
    label = random.integers(0, 2, rows)
    said = [
        " ".join(
            [
                *random.choice(words, random.integers(3, 40), p=zipf / zipf.sum()),
                "excellent" if up and random.random() < 0.5 else "fine",
            ]
        )
        for up in label
    ]
    authors = [f"author{n}" for n in random.zipf(1.6, rows) % 2500]
    return pd.DataFrame({
        "review": said, "title": [text[:20] for text in said], "author": authors,
        "place": random.choice([f"place {n}" for n in range(80)], rows, p=zipf[:80] / zipf[:80].sum()), "praise": label,
    })  # fmt: skip


BY_NATURE = {"max_duplicates": 1.0}
"""Rows of few columns repeat: what a first run has to be told."""

LARGE = (
    Table("flights", lambda: month(5), "late", flights_features()),
    Table("mortgages", _mortgages, "home_ownership",
          {"categorical": ["bpl", "qob"], "numeric": ["qob_minus_kw"], "boolean": ["nonwhite", "vet_wwko"]}, BY_NATURE),
    Table("inspections", _inspections, "inspection_score",
          {"numeric": ["NumberofLocations", "Year"], "boolean": ["Weekend"], "text": ["business_name"]}, BY_NATURE, "regression"),
    Table("scorecard", _scorecard, "pred_degree_awarded_ipeds",
          {"categorical": ["state_abbr"], "numeric": ["year", "earnings_med", "count_not_working", "count_working"]}),
    Table("elections", _elections, "democrat",
          {"categorical": ["state"], "numeric": ["district", "year", "score", "lagdemvoteshare"], "boolean": ["lagdemocrat"]}),
)  # fmt: skip
"""At least 10,000 rows each."""

SMALL = (
    Table("penguins", _penguins, "species",
          {"numeric": ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"], "categorical": ["island", "sex"]}),
    Table("titanic", _titanic, "survived", {"categorical": ["class", "age", "sex"]}, BY_NATURE),
    Table("health", _health, "qsmk",
          {"numeric": ["age", "wt71", "sbp", "smokeintensity", "smokeyrs", "alcoholhowmuch", "pregnancies", "yrdth", "price71"],
           "categorical": ["sex", "race", "education", "active", "exercise", "birthplace", "alcoholtype", "marital"]}),
    Table("senators", _senators, "responded",
          {"numeric": ["totalpop", "medianhhincom", "blackpercent", "statessquireindex", "urbanpercent"],
           "boolean": ["leg_black", "treat_out", "leg_senator", "leg_democrat", "south"]}),
    Table("iris", _built_in("iris"), "target", {}),
    Table("wine", _built_in("wine"), "target", {}),
    Table("breast_cancer", _built_in("breast_cancer"), "target", {}, {"leakage": 0.99}),
    Table("diabetes", _built_in("diabetes"), "target", {}, task="regression"),
    Table("digits", _built_in("digits"), "target", {}),
    Table("wide", wide, "label", {}),
    Table("texts", texts, "praise", {"text": ["review", "title"], "categorical": ["author", "place"]}),
)  # fmt: skip
