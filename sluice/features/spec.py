"""Features: what a model sees of an example, as `features` in sluice.yaml."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from sluice.config.base import Strict
from sluice.modules import Code

MAX_BUCKETS = 20
"""Quantiles that the statistics know of a number."""

Part = Literal["minute", "hour", "weekday", "day", "day_of_year", "month", "trend"]


class Numeric(Strict):
    """A number; all that is learned of it is learned of the train split's statistics.

    A value is imputed where it is missing, then clipped, then put on a logarithmic scale, then scaled or bucketed.

    Attributes:
        name: the column.
        scaling: ``z_score`` (mean 0, deviation 1), ``min_max`` (0 to 1) or ``none``.
        clip: [low, high]: values beyond, infinite ones too, become the bound; empty: none is clipped.
        log: take log(1 + x - min), for long tails.
        buckets: give the number of its quantile bucket, as a category, instead of its size; 0: its size. A missing
            value has a bucket of its own.
        impute: what a missing value is taken for: ``mean``, ``median``, ``zero`` or a number; ``auto`` is the mean,
            or the median of a number that is put on a logarithmic scale or has infinite values.
        missing_indicator: add an input that is 1 where the value is missing; only where some is.
        embedding: size of the buckets' embedding in deep models; 0: by rule, as for categories.
    """

    name: str
    scaling: Literal["z_score", "min_max", "none"] = "z_score"
    clip: list[float] = Field(default_factory=list, max_length=2)
    log: bool = False
    buckets: int = Field(default=0, ge=0, le=MAX_BUCKETS)
    impute: Literal["auto", "mean", "median", "zero"] | float = "auto"
    missing_indicator: bool = True
    embedding: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _two_bounds(self) -> Self:
        if self.clip and (len(self.clip) != 2 or not self.clip[0] < self.clip[1]):
            raise ValueError(f"clip takes two bounds, the lower first, e.g. [0, 100]; given: {self.clip}")
        return self


class Categorical(Strict):
    """A category; a missing value is a category of its own.

    Attributes:
        name: the column; integers and booleans are taken as text.
        top_k: at most so many values, the most frequent first; the rest share the out-of-vocabulary buckets.
        min_count: values seen less often in the train split share the out-of-vocabulary buckets.
        oov_buckets: number of out-of-vocabulary buckets.
        hash_buckets: hash into so many buckets instead of keeping a vocabulary; 0 for a vocabulary.
        embedding: size of the embedding in deep models; 0 for the rule min(50, round(1.6 * values ** 0.56)).
    """

    name: str
    top_k: int = Field(default=1000, ge=1)
    min_count: int = Field(default=1, ge=1)
    oov_buckets: int = Field(default=1, ge=1)
    hash_buckets: int = Field(default=0, ge=0)
    embedding: int = Field(default=0, ge=0)


class Boolean(Strict):
    """A yes or no: 1 or 0; where it is missing, the share of yes in the train split.

    Attributes:
        name: the column, of booleans, of 0 and 1, or of texts: true, yes, y, t, 1 and their opposites, in any case.
        missing_indicator: add an input that is 1 where the value is missing; only where some is.
    """

    name: str
    missing_indicator: bool = True


class DateTime(Strict):
    """A point in time; its parts are those of UTC.

    Attributes:
        name: the column, of timestamps, dates, or texts in RFC 3339; a text that is none counts as missing.
        parts: what is taken of it; ``trend`` is the time itself, scaled as a number is.
        encode: ``cycle``: every part as sine and cosine, so that December is next to January; ``category``: every part
            as a category.
        missing_indicator: add an input that is 1 where the value is missing; only where some is.
    """

    name: str
    parts: list[Part] = Field(default=["hour", "weekday", "month"], min_length=1)
    encode: Literal["cycle", "category"] = "cycle"
    missing_indicator: bool = True


class Text(Strict):
    """A text: how often each of its n-grams occurs, scaled to length 1; all 0 where it is missing.

    Attributes:
        name: the column.
        ngrams: runs of one to so many words (or characters).
        level: ``word`` (runs of letters and digits) or ``char``.
        lowercase: take all letters for small ones.
        hash_buckets: hash the n-grams into so many inputs; 0 for a vocabulary.
        vocabulary: the n-grams that have an input, words joined by a space; empty: the ``top_k`` most frequent of the
            train split, where its statistics keep every value.
        top_k: n-grams of a vocabulary, at most.
        min_count: n-grams that occur in fewer rows of the train split have none.
    """

    name: str
    ngrams: int = Field(default=1, ge=1, le=5)
    level: Literal["word", "char"] = "word"
    lowercase: bool = True
    hash_buckets: int = Field(default=64, ge=0, le=4096)
    vocabulary: list[str] = Field(default_factory=list, max_length=4096)
    top_k: int = Field(default=64, ge=1, le=4096)
    min_count: int = Field(default=1, ge=1)


class Cross(Strict):
    """Categories taken together; a list in sluice.yaml is its features.

    Attributes:
        features: two or more of: categories, numbers with buckets, and ``<name>_<part>`` of a time whose parts are
            categories.
        hash_buckets: combinations are hashed into so many buckets; where there are no more, each has an id of its own.
        embedding: as for categories.
    """

    features: list[str] = Field(min_length=2, max_length=4)
    hash_buckets: int = Field(default=1000, ge=2)
    embedding: int = Field(default=0, ge=0)

    @property
    def name(self) -> str:
        """The column that it makes, where no other has the name."""
        return "_x_".join(self.features)


class Preprocess(Code):
    """A user's own ``preprocess(features)``, beside the other kinds.

    It takes a dict of raw features (tensors of shape [batch]: float32 with NaN, or strings, as at the serving
    signature) and returns a dict: a float tensor of shape [batch] or [batch, n] is a number or n of them, a pair of an
    integer tensor of shape [batch] and a size is a category of so many ids. It is traced once into the graph.

    Attributes:
        columns: columns that it takes beside those of the other kinds.
    """

    columns: list[str] = Field(default_factory=list)


class Features(Strict):
    """What a model sees. Where nothing is said, the kinds are inferred from the schema and the statistics.

    A plain name takes the defaults of its kind.

    Attributes:
        numeric: numbers.
        categorical: categories.
        boolean: yes or no.
        datetime: points in time.
        text: texts.
        crosses: categories taken together.
        preprocess: a user's own preprocessing.
    """

    numeric: list[Numeric] = Field(default_factory=list)
    categorical: list[Categorical] = Field(default_factory=list)
    boolean: list[Boolean] = Field(default_factory=list)
    datetime: list[DateTime] = Field(default_factory=list)
    text: list[Text] = Field(default_factory=list)
    crosses: list[Cross] = Field(default_factory=list)
    preprocess: Preprocess = Preprocess()

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                kind: [_plain(item) for item in items] if isinstance(items, list) else items
                for kind, items in value.items()
            }
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if twice := _twice(self.names()):
            raise ValueError(f"named twice: {', '.join(twice)}")
        if twice := _twice([tuple(cross.features) for cross in self.crosses]):
            raise ValueError(f"crossed twice: {' and '.join(twice[0])}")
        known = self._crossable()
        for cross in self.crosses:
            if unknown := [name for name in cross.features if name not in known]:
                raise ValueError(
                    f"crosses: {unknown[0]!r} is not a category: list it under categorical, or give it buckets; "
                    f"known: {', '.join(known)}"
                )
            if several := _twice([name for name in known if name in cross.features]):
                raise ValueError(f"crosses: {several[0]!r} is a column, and a part of a time: rename the column")
        return self

    def _crossable(self) -> list[str]:
        return [
            *(item.name for item in self.categorical),
            *(item.name for item in self.numeric if item.buckets),
            *(
                f"{item.name}_{part}"
                for item in self.datetime
                for part in item.parts
                if item.encode == "category" and part != "trend"
            ),
        ]

    def names(self) -> list[str]:
        """All columns, numbers first."""
        kinds = (self.numeric, self.categorical, self.boolean, self.datetime, self.text)
        return [*(item.name for kind in kinds for item in kind), *self.preprocess.columns]

    def counted_as_text(self) -> set[str]:
        """The columns of which the statistics must count the values as text, whatever their type."""
        return {item.name for kind in (self.categorical, self.boolean) for item in kind}


def _plain(item: Any) -> Any:
    """An item as its kind's model takes it: a name by itself, a cross as a list."""
    for name in item if isinstance(item, list) else [item.get("name", "") if isinstance(item, dict) else item]:
        if not isinstance(name, str | dict | BaseModel):
            raise ValueError(f"YAML reads {name!r} here, which is no text: put a column's name in quotes")
    if isinstance(item, str):
        return {"name": item}
    return {"features": item} if isinstance(item, list) else item


def _twice(names: list[Any]) -> list[Any]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
