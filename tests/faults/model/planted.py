"""Models planted on real flights: each with what the gate should say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sluice.evaluation.evidence import CHALLENGER, CHAMPION, gather
from sluice.evaluation.metrics import Rows
from sluice.evaluation.scoring import slices_of
from sluice.gates.model.judge import judge
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.verdict import Verdict

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights"
CATEGORIES = ["carrier", "origin", "dest", "plane_manufacturer"]
DROPPED = ["scheduled_departure", "tailnum", "flight", "late"]


@dataclass(frozen=True)
class Planted:
    """One case: the challenger's and the champion's predictions for the same rows, and the verdict that is right."""

    name: str
    challenger: np.ndarray
    champion: np.ndarray
    rows: pd.DataFrame
    right: tuple[str, ...]
    identical: bool = False

    def verdict(self, policy: ModelPolicy) -> Verdict:
        import pyarrow as pa

        label = self.rows["late"].to_numpy(np.float64)
        table = pa.Table.from_pandas(self.rows[["late", "carrier", "origin"]], preserve_index=False)
        models = {CHALLENGER: Rows(label, self.challenger), CHAMPION: Rows(label, self.champion)}
        evidence = gather(models, slices_of(table, policy), policy, "binary", champion=1, identical=self.identical)
        return judge(evidence, policy, subjects={"model": "sha256:0"})


def policy() -> ModelPolicy:
    """The policy of the flights use case."""
    return ModelPolicy.model_validate(yaml.safe_load((FLIGHTS / "sluice.yaml").read_text())["policies"]["model"])


def read(months: range) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(FLIGHTS / "data" / f"span-{m:02d}.parquet") for m in months], ignore_index=True)


def inputs(rows: pd.DataFrame, categories: dict[str, pd.Index]) -> pd.DataFrame:
    made = rows.drop(columns=[c for c in DROPPED if c in rows])
    for name in CATEGORIES:
        made[name] = categories[name].get_indexer(made[name])
    return made.astype(float)


def trees(seed: int = 0, **options: object) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        **{"max_iter": 80, "learning_rate": 0.1, "random_state": seed, "early_stopping": False, **options}
    )


def linear() -> object:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))


def cases() -> Iterator[Planted]:
    random = np.random.default_rng(0)
    rows = read(range(8, 12))
    categories = {name: pd.Index(rows[name].dropna().unique()) for name in CATEGORIES}
    held = random.random(len(rows)) < 0.2
    train, test = rows[~held].reset_index(drop=True), rows[held].reset_index(drop=True)
    x, y, xt = inputs(train, categories), train["late"].to_numpy(), inputs(test, categories)
    yt = test["late"].to_numpy()

    def predicted(model: object, fit_x: pd.DataFrame, fit_y: np.ndarray, on: pd.DataFrame = xt) -> np.ndarray:
        with threadpool_limits(
            1
        ):  # threads that wait for each other cost more than they save where others work as well
            return model.fit(fit_x.fillna(-1), fit_y).predict_proba(on.fillna(-1))[:, 1]  # type: ignore[attr-defined]

    champion = predicted(trees(), x, y)

    def planted(
        name: str, challenger: np.ndarray, *right: str, champion: np.ndarray = champion, identical: bool = False
    ) -> Planted:
        return Planted(name, challenger, champion, test, right, identical)

    refused, open_ = ("NOT_BLESSED",), ("BLESSED",)
    yield planted("shuffled labels", predicted(trees(), x, random.permutation(y)), *refused)
    yield planted("a constant", np.full(len(test), y.mean()), *refused)
    leak = x.assign(arrival_delay=np.where(y == 1, 30.0, 0.0) + random.normal(0, 2, len(y)))
    yield planted(
        "trained on a leaked feature, absent when serving",
        predicted(trees(), leak, y, xt.assign(arrival_delay=np.nan)),
        *refused,
    )
    harmed = champion.copy()
    lga = (test["origin"] == "LGA").to_numpy()
    harmed[lga] = random.permutation(harmed[lga])
    yield planted("good on average, bad on LGA", np.where(lga, harmed, 0.9 * champion + 0.1 * yt), *refused)
    yield planted(
        "overfitted",
        predicted(trees(max_iter=600, learning_rate=0.5, min_samples_leaf=1, max_leaf_nodes=255), x, y),
        *refused,
    )
    old = read(range(1, 4))
    yield planted(
        "stale by eight months", predicted(trees(), inputs(old, categories), old["late"].to_numpy()), *refused
    )
    logit = np.log(champion / (1 - champion))
    yield planted("miscalibrated: twice too sure", 1 / (1 + np.exp(-2 * logit)), *refused)
    yield planted("miscalibrated: predicts too much", 1 / (1 + np.exp(-logit - 0.8)), *refused)
    yield planted("two classes swapped", 1 - champion, *refused)
    few = random.random(len(x)) < 0.01
    yield planted("trained on 1 % of the data", predicted(trees(), x[few], y[few]), *refused)
    yield planted("quantised badly", np.clip(np.round(champion * 4) / 4, 0.01, 0.99), *refused)
    yield planted("identical to the champion", champion, *refused, identical=True)
    yield planted(
        "a feature's unit changed when serving",
        predicted(trees(), x, y, xt.assign(temperature=(xt["temperature"] - 32) / 1.8)),
        *refused,
    )
    yield planted("better by little", predicted(trees(max_iter=160), x, y), *open_)
    yield planted(
        "better by much",
        champion,
        *open_,
        champion=predicted(linear(), x[["distance", "departure_hour"]], y, xt[["distance", "departure_hour"]]),
    )
    most = random.random(len(x)) < 0.97
    yield planted("equal within noise: trained on 97 % of the rows", predicted(trees(1), x[most], y[most]), *open_)
