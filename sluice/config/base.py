"""The base of every configuration model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class Strict(BaseModel):
    """A frozen model in which an unknown key is an error: a typo must never weaken a gate or change a default.

    A mapping in it has no order: its keys are sorted, however deep it lies. KFP hands structs on in any order, another
    one in every process, so that nothing may depend on the order in which a file or a caller wrote them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="after")
    @classmethod
    def _no_order(cls, value: Any) -> Any:
        return sorted_keys(value)


def sorted_keys(value: Any) -> Any:
    """A value with the keys of every mapping in it sorted; lists keep their order, and models are left as they are."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value, key=str)}
    return [sorted_keys(item) for item in value] if isinstance(value, list) else value


def whole_numbers(value: Any) -> Any:
    """A value with every float that is whole as an integer, however deep.

    KFP's structs know one kind of number: 4 arrives as 4.0 from its local runner and as 4 from its backend, and so does 4.0.
    """
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
