"""The preprocessing once more, in pandas and plain Python: what the graph is held against."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pandas as pd

from sluice.features.spec import Boolean, Categorical, DateTime, Features, Numeric, Text

PERIOD = {"minute": 60, "hour": 24, "weekday": 7, "day": 31, "day_of_year": 366, "month": 12}
BEGINS_AT_ONE = {"day", "day_of_year", "month"}


def numbers(features: Features, seen: pd.DataFrame, given: pd.DataFrame) -> dict[str, np.ndarray]:
    """Column name to its values, of all numbers."""
    made: dict[str, np.ndarray] = {}
    for number in features.numeric:
        if not number.buckets:
            made |= _number(number, seen[number.name].astype(float), given[number.name].astype(float))
    for yes in features.boolean:
        made |= _boolean(yes, seen[yes.name], given[yes.name])
    for time in features.datetime:
        if time.encode == "cycle":
            made |= _cycles(time, seen[time.name], given[time.name])
    for text in features.text:
        made |= _bag(text, seen[text.name], given[text.name])
    return made


def _number(spec: Numeric, seen: pd.Series, given: pd.Series) -> dict[str, np.ndarray]:
    low, high = spec.clip or (-math.inf, math.inf)
    fill = {"auto": seen.mean(), "mean": seen.mean(), "zero": 0.0}.get(spec.impute, spec.impute)
    value = given.fillna(fill).clip(low, high)
    least, most = seen.clip(low, high).min(), seen.clip(low, high).max()
    if spec.log:
        value = np.log1p((value - least).clip(lower=0))
        least, most = 0.0, np.log1p(most - least)
    if spec.scaling == "min_max":
        value = (value - least) / ((most - least) or 1.0)
    if spec.scaling == "z_score":
        deviation = seen.std(ddof=0)
        value = (value - seen.mean()) / (deviation if deviation > 1e-6 * abs(seen.mean()) else 1.0)
    made = {spec.name: value.to_numpy()}
    if spec.missing_indicator and seen.isna().any():
        made[f"{spec.name}_missing"] = given.isna().to_numpy(float)
    return made


def _boolean(spec: Boolean, seen: pd.Series, given: pd.Series) -> dict[str, np.ndarray]:
    def read(column: pd.Series) -> pd.Series:
        texts = column.str.lower()
        return (
            texts.isin(["true", "yes", "1"]).astype(float).where(texts.isin(["true", "yes", "1", "false", "no", "0"]))
        )

    made = {spec.name: read(given).fillna(read(seen).mean()).to_numpy()}
    if spec.missing_indicator and read(seen).isna().any():
        made[f"{spec.name}_missing"] = read(given).isna().to_numpy(float)
    return made


def _parts(spec: DateTime, given: pd.Series) -> dict[str, np.ndarray]:
    """Each part as a float from 0, not a number where there is no time."""
    times = pd.Series([time(value) for value in given], dtype="datetime64[ns, UTC]")
    return {part: (getattr(times.dt, part.replace("_of_", "of")) - (part in BEGINS_AT_ONE)).to_numpy(float) for part in spec.parts}  # fmt: skip


def time(value: object) -> pd.Timestamp | None:
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d([.,]\d+)?([Zz]|[+-]\d\d:\d\d)?)?", text):
        return None
    found = pd.to_datetime(text.replace(",", ".").upper(), errors="coerce", utc=True)
    return None if found is pd.NaT else found


def _cycles(spec: DateTime, seen: pd.Series, given: pd.Series) -> dict[str, np.ndarray]:
    made = {}
    for part, position in _parts(spec, given).items():
        angle = 2 * np.pi * position / PERIOD[part]
        made[f"{spec.name}_{part}_sin"] = np.nan_to_num(np.sin(angle))
        made[f"{spec.name}_{part}_cos"] = np.nan_to_num(np.cos(angle))
    if spec.missing_indicator and any(time(value) is None for value in seen):
        made[f"{spec.name}_missing"] = np.array([float(time(value) is None) for value in given])
    return made


def categories_of_time(spec: DateTime, given: pd.Series) -> dict[str, np.ndarray]:
    """Column name to ids, the missing 0."""
    return {f"{spec.name}_{part}": np.nan_to_num(position + 1) for part, position in _parts(spec, given).items()}


def _bag(spec: Text, seen: pd.Series, given: pd.Series) -> dict[str, np.ndarray]:
    import farmhash

    words = [] if spec.hash_buckets else spec.vocabulary or frequent(spec, seen)
    size = spec.hash_buckets or len(words)
    counted = np.zeros((len(given), size))
    for row, value in enumerate(given.fillna("")):
        for gram, count in grams(spec, value).items():
            if spec.hash_buckets:
                counted[row, farmhash.fingerprint64(gram) % size] += count
            elif gram in words:
                counted[row, words.index(gram)] += count
    length = np.linalg.norm(counted, axis=1, keepdims=True)
    scaled = np.divide(counted, length, out=np.zeros_like(counted), where=length > 0)
    return {f"{spec.name}_{index}": scaled[:, index] for index in range(size)}


def frequent(spec: Text, seen: pd.Series) -> list[str]:
    """The n-grams that occur in most rows; of as many, the first by the alphabet."""
    rows = Counter(gram for value in seen.fillna("") for gram in grams(spec, value))
    kept = sorted((-count, gram) for gram, count in rows.items() if count >= spec.min_count)
    return [gram for _, gram in kept[: spec.top_k]]


def grams(spec: Text, value: str) -> Counter[str]:
    """Runs of one to so many words or characters, and how often they occur."""
    value = value.lower() if spec.lowercase else value
    if spec.level == "char":
        parts, between = list(value), ""
    else:
        parts, between = "".join(char if char.isalnum() else " " for char in value).split(), " "
    return Counter(
        between.join(parts[at : at + width])
        for width in range(1, spec.ngrams + 1)
        for at in range(len(parts) - width + 1)
    )


def vocabulary(spec: Categorical, seen: pd.Series) -> tuple[set[str], set[str]]:
    """The values that surely have an id of their own, and those of which some do: as frequent as the last that is kept."""
    rows = seen.dropna()[lambda s: s != ""].value_counts()
    rows = rows[rows >= spec.min_count]
    last = rows.iloc[spec.top_k - 1] if len(rows) > spec.top_k else 0
    missing = {""} if seen.isna().sum() + (seen == "").sum() >= spec.min_count else set()
    return {*rows[rows > last].index} | missing, {*rows[rows == last].index}
