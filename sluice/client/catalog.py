"""The compiled components and pipelines: from the wheel, or from the checkout that this is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sluice.errors import SluiceError

PACKAGE = Path(__file__).parents[1]


def path(kind: Literal["components", "pipelines"], name: str) -> Path:
    """The compiled YAML of a component or pipeline.

    Raises:
        SluiceError: there is none of that name; lists those there are.
    """
    for folder in (PACKAGE / "compiled" / kind, PACKAGE.parent / "build" / kind):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted(
        {
            file.stem
            for root in (PACKAGE / "compiled", PACKAGE.parent / "build")
            for file in (root / kind).glob("*.yaml")
        }
    )
    raise SluiceError(
        f"no {kind.removesuffix('s')} {name!r}", remedy=f"there are: {', '.join(known) or 'none; run `make compile`'}"
    )


def component(name: str) -> Any:
    """A compiled component, ready for use in anyone's pipeline."""
    from kfp import components

    return components.load_component_from_file(str(path("components", name)))


def pipeline(name: str) -> Any:
    """A compiled pipeline, ready to be submitted, run or used as a step."""
    from kfp import components

    return components.load_component_from_file(str(path("pipelines", name)))
