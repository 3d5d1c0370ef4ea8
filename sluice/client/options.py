"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from sluice.errors import SluiceError

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The use case: a sluice.yaml, or the folder that holds one.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Put a value over the file's, e.g. [b]--set trainer.steps=200[/b]; may be repeated."),
]


def parse_overrides(given: list[str] | None) -> dict[str, Any]:
    """``["trainer.steps=200"]`` to ``{"trainer.steps": 200}``; values are YAML.

    Raises:
        SluiceError: an item has no ``=``.
    """
    values = {}
    for item in given or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise SluiceError(
                f"{item!r} has no value", where="--set", remedy="write --set key=value, e.g. --set trainer.steps=200"
            )
        values[key] = yaml.safe_load(value)
    return values
