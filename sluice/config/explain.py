"""Configuration errors in words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic import ValidationError


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """A pydantic error as lines for a person: path, what is wrong, what was given, and the known keys for a typo."""
    lines = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"]) or "(top)"
        if item["type"] == "extra_forbidden":
            known = _known_keys(model, item["loc"][:-1]) if model else []
            near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}" if known else ""
            lines.append(f"{path}: unknown key{hint}")
            continue
        given = repr(item["input"])
        shown = f" (given: {given})" if len(given) <= 60 and item["type"] != "missing" else ""
        message = "required, and missing" if item["type"] == "missing" else item["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {message}{shown}")
    return "\n  ".join(lines)


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that a nested model takes, as far as the path leads through models."""
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
