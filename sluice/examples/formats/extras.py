"""Libraries that only some sources need: the optional extras of the package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sluice.errors import SluiceError


def needed(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Raises:
        SluiceError: it is not installed; says how it would be.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise SluiceError(
            f"this source needs the extra {extra!r}: {error.name} is not installed", where="source.uri",
            remedy=f"pip install 'kfp-sluice[{extra}]'; on a cluster, build an image upon the light one that has it "
                   "(components/ingest/README.md)",
        ) from error  # fmt: skip
