"""Which interpreter stands in for which image when a pipeline runs on this machine."""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatch
from pathlib import Path

from sluice.errors import SluiceError

VARIABLE = "SLUICE_COMPONENTS_PYTHON"


def python(image: str) -> Path:
    """The interpreter that stands in for an image: this one for the light image, the component environment's else.

    Args:
        image: an image name with or without registry, tag and digest.

    Raises:
        SluiceError: the component environment is not there, or the image is not one of ours.
    """
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    if fnmatch(name, "*light*"):
        return Path(sys.executable)
    if not fnmatch(name, "*tensorflow*"):
        raise SluiceError(
            f"no interpreter on this machine stands in for the image {image!r}",
            remedy="run it in containers (make run-containers), or on a cluster",
        )
    given = os.environ.get(VARIABLE)
    path = Path(given) if given else Path(__file__).parents[2] / ".venv-components" / "bin" / "python"
    if not path.exists():
        raise SluiceError(
            "the component environment is not here",
            where=str(path),
            remedy=f"run `make setup` in a checkout, or name its interpreter in {VARIABLE}",
        )
    return path
