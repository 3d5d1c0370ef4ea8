"""Features: what a model sees of an example, as `features` in sluice.yaml."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sluice.config.base import Strict


class Numeric(Strict):
    """A number.

    Attributes:
        name: the column.
        scaling: ``z_score``, ``min_max`` or ``none``; from the statistics of the train split.
        log: take log(1 + x - min) first, for long tails.
        buckets: give quantile buckets, one-hot, instead of the number; 0 for none.
        missing_indicator: add an input that is 1 where the value is missing; only where some is.
    """

    name: str
    scaling: Literal["z_score", "min_max", "none"] = "z_score"
    log: bool = False
    buckets: int = Field(default=0, ge=0, le=100)
    missing_indicator: bool = True


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


class Features(Strict):
    """What a model sees. Where nothing is said, the kinds are inferred from the schema and the statistics.

    Attributes:
        numeric: numbers; a plain name takes the defaults.
        categorical: categories; a plain name takes the defaults.
    """

    numeric: list[Numeric] = Field(default_factory=list)
    categorical: list[Categorical] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                kind: [{"name": item} if isinstance(item, str) else item for item in items]
                if isinstance(items, list) else items
                for kind, items in value.items()
            }  # fmt: skip
        return value

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = self.names()
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return self

    def names(self) -> list[str]:
        """All columns, numbers first."""
        return [*(item.name for item in self.numeric), *(item.name for item in self.categorical)]
