"""The base of every configuration model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen model in which an unknown key is an error: a typo must never weaken a gate or change a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
