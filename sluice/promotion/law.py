"""The law of a use case: which policies are in force, as the ledger has it.

A run's parameters say by which policies its gates judge, so that whoever starts a run could weaken them. The ledger
remembers: the first promotion puts its policies in force, and from then on a push under others is refused until
someone adopts them (`adopt`), by name and with a reason.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sluice import digest
from sluice.config.explain import explain
from sluice.errors import SluiceError
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.service.policy import ServicePolicy
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.policy import PushPolicy

if TYPE_CHECKING:
    from sluice.config.base import Strict

POLICIES: dict[str, type[Strict]] = {
    "data": DataPolicy,
    "model": ModelPolicy,
    "service": ServicePolicy,
    "push": PushPolicy,
}
POLICIES_FILE = "policies.json"


def complete(policies: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Policies as plain JSON, defaults filled in; the pusher's may be left out.

    Raises:
        SluiceError: one is missing, or does not fit its model.
    """
    given, made = {"push": {}, **policies}, {}
    for name, model in POLICIES.items():
        if name not in given:
            raise SluiceError(f"the {name} policy is missing", remedy=f"hand over policies.{name} of the use case")
        try:
            made[name] = model.model_validate(given[name]).model_dump(mode="json")
        except ValidationError as error:
            raise SluiceError(explain(error, model), where=f"policies.{name}") from None
    return made


def digests(policies: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Gate (and ``push``) to the digest of its policy."""
    return {name: digest.of_json(policy) for name, policy in policies.items()}


def objections(book: Ledger, policies: dict[str, dict[str, Any]]) -> list[str]:
    """Why these policies are not those in force: a sentence for each that differs.

    Args:
        book: the ledger.
        policies: as `complete` returns them.
    """
    in_force = book.law()
    if in_force is None:
        return []
    made = digests(policies)
    differing = [name for name in POLICIES if in_force.policies.get(name) != made[name]]
    before = in_law(book, in_force) if differing else {}
    return [
        f"the {name} policy is not the one in force since entry {in_force.number} "
        f"({', '.join(differences(before.get(name, {}), policies[name]))}): "
        "if the change is meant, adopt it (sluice adopt --reason ...)"
        for name in differing
    ]


def check(ledger: str, policies: dict[str, Any]) -> None:
    """Tell before a run what the pusher would say at its end.

    Raises:
        SluiceError: the policies are not those in force.
    """
    if found := objections(Ledger.at(ledger), complete(policies)):
        raise SluiceError("\n  ".join(found), where=ledger)


def in_law(book: Ledger, entry: Entry) -> dict[str, dict[str, Any]]:
    """The policies that an entry put in force."""
    with tempfile.TemporaryDirectory() as scratch:
        book.fetch(entry.evidence["policies"], Path(scratch))
        found: dict[str, dict[str, Any]] = json.loads((Path(scratch) / POLICIES_FILE).read_text())
        return found


def adopt(ledger: str, policies: dict[str, Any], *, reason: str, by: str) -> Entry:
    """Put other policies in force.

    Args:
        ledger: URI of the ledger.
        policies: gate (and ``push``) to its policy.
        reason: why, for the record.
        by: who.

    Raises:
        SluiceError: they are in force already.
    """
    book = Ledger.at(ledger)
    made = complete(policies)
    in_force = book.law()
    if in_force and in_force.policies == digests(made):
        raise SluiceError(f"these policies are in force already, since entry {in_force.number}", where=ledger)
    before = in_law(book, in_force) if in_force else {}
    changes = tuple(
        f"{name}: {change}" for name in POLICIES for change in differences(before.get(name, {}), made[name]) if in_force
    )
    return book.append(
        Kind.ADOPTED, policies=digests(made), evidence={"policies": keep(book, made)}, facts={"by": by},
        reasons=(f"{by}: {reason}", *changes),
    )  # fmt: skip


def keep(book: Ledger, policies: dict[str, dict[str, Any]]) -> str:
    """Put policies into the evidence; returns the digest that names them."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / POLICIES_FILE).write_bytes(digest.canonical_json(policies))
        return book.keep(Path(scratch))


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two policies differ, e.g. ``min_rows: 1000 -> 10``."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for name in sorted({*before, *after}):
            found += differences(before.get(name), after.get(name), f"{path}.{name}" if path else name)
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [found for number, (old, new) in pairs for found in differences(old, new, f"{path}[{number}]")]
    return [] if before == after else [f"{path}: {_shown(before)} -> {_shown(after)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
