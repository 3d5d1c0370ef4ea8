"""The rules, each with its identity; families of them stand in modules of their own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.client.lint.graph import Pipeline, Place

Found = tuple["Place", str]
"""Where something was found, and a sentence about it."""


class Level(StrEnum):
    """How bad it is, in SARIF's words."""

    ERROR = "error"
    WARNING = "warning"


class Target(StrEnum):
    """What a rule is about; a rule about none in particular holds everywhere."""

    VERTEX = "vertex"
    KUBEFLOW = "kubeflow"
    LOCAL = "local"


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        id: its name, as the documentation and SARIF have it.
        level: error or warning.
        targets: what refuses it or gets it wrong; empty: everything.
        what: what is wrong, in one sentence.
        remedy: what would settle it.
        find: finds it.
    """

    id: str
    level: Level
    targets: tuple[Target, ...]
    what: str
    remedy: str
    find: Callable[[Pipeline], Iterator[Found]]


RULES: dict[str, Rule] = {}


def rule(
    name: str, level: Level, what: str, remedy: str, *targets: Target
) -> Callable[[Callable[[Pipeline], Iterator[Found]]], Callable[[Pipeline], Iterator[Found]]]:
    """Make a function a rule: it gets the pipeline, and yields what it finds."""

    def registered(find: Callable[[Pipeline], Iterator[Found]]) -> Callable[[Pipeline], Iterator[Found]]:
        RULES[name] = Rule(name, level, targets, what, remedy, find)
        return find

    return registered
