"""The policies in force: those that the ledger's first promotion was judged by, until others are adopted.

A run's parameters say by which policies its gates judge, so that whoever starts a run could weaken them. The ledger
remembers: a push under other policies than those in force is refused until someone adopts them (`adopt`), by name and
with a reason.

Policies are compared by what they mean: both are read by this release, which fills in its defaults. A rule that a release
adds and leaves off by default therefore changes nothing; a default that a release changes does, and needs one `adopt`.
Where this release cannot read the policies in force any more, they are compared as written, defaults left out.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sluice import digest
from sluice.config.explain import explain
from sluice.errors import SluiceError, shorten
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.service.policy import ServicePolicy
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.policy import PushPolicy
from sluice.stored import format_of
from sluice.version import __version__

if TYPE_CHECKING:
    from sluice.config.base import Strict

POLICIES: dict[str, type[Strict]] = {
    "data": DataPolicy,
    "model": ModelPolicy,
    "service": ServicePolicy,
    "push": PushPolicy,
}
POLICIES_FILE = "policies.json"
FORMAT = 2
"""Of the policies in the evidence; 1 was an object of the filled-in policies alone."""


@dataclass(frozen=True)
class Policies:
    """The policies of a use case, by gate and for ``push``, as plain JSON.

    Attributes:
        applied: with all defaults filled in.
        written: with the defaults left out: what identifies them whatever a release adds.
    """

    applied: dict[str, dict[str, Any]]
    written: dict[str, dict[str, Any]]

    @property
    def digests(self) -> dict[str, str]:
        """Gate (and ``push``) to the digest of its policy as written."""
        return {name: digest.of_json(policy) for name, policy in self.written.items()}


def read(policies: dict[str, Any]) -> Policies:
    """Check policies and fill in their defaults; the pusher's may be left out.

    Raises:
        SluiceError: one is missing, or does not fit its model.
    """
    given = {"push": {}, **policies}
    applied, written = {}, {}
    for name, model in POLICIES.items():
        if name not in given:
            raise SluiceError(f"the {name} policy is missing", remedy=f"give policies.{name} of the use case")
        try:
            policy = model.model_validate(given[name])
        except ValidationError as error:
            raise SluiceError(explain(error, model), where=f"policies.{name}") from None
        applied[name] = policy.model_dump(mode="json")
        written[name] = policy.model_dump(mode="json", exclude_defaults=True)
    return Policies(applied, written)


def same(gate: str, earlier: dict[str, Any], applied: dict[str, Any]) -> bool:
    """Whether a policy that was applied earlier, perhaps by another release, means what one of this release does."""
    return _today(gate, earlier) == applied


def objections(ledger: Ledger, policies: Policies) -> list[str]:
    """Why these policies are not those in force: a sentence for each that differs.

    Raises:
        SluiceError: the policies in force are missing from the evidence.
    """
    entry = ledger.policies_in_force()
    if entry is None:
        return []
    found = []
    for name, changes in _changes(ledger, entry, policies).items():
        by = f" by sluice {entry.release}" if entry.release not in ("", __version__) else ""
        found.append(
            f"the {name} policy is not the one in force since entry {entry.number}{by} ({', '.join(changes)}): "
            "if the change is meant, adopt it (sluice adopt --reason ...)"
        )
    return found


def check(ledger: str, policies: dict[str, Any]) -> None:
    """Say before a run what the pusher would say at its end.

    Raises:
        SluiceError: the policies are not those in force.
    """
    if found := objections(Ledger.at(ledger), read(policies)):
        raise SluiceError("\n  ".join(found), where=ledger)


def approved(ledger: Ledger, entry: Entry) -> Policies:
    """The policies that an entry put in force, as they were then.

    Raises:
        SluiceError: they are missing from the evidence, were changed, or a later release wrote them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        ledger.fetch(entry.evidence["policies"], Path(scratch))
        content: dict[str, Any] = json.loads((Path(scratch) / POLICIES_FILE).read_text())
    number = format_of(content, FORMAT, "the policies in force", f"{ledger.store.uri}: entry {entry.number}")
    if number == 1:
        return Policies(applied=content, written=content)
    return Policies(content["applied"], content["written"])


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
    opened, given = Ledger.at(ledger), read(policies)
    in_force = opened.policies_in_force()
    changes = _changes(opened, in_force, given) if in_force else {}
    if in_force and not changes:
        raise SluiceError(f"these policies are in force already, since entry {in_force.number}", where=ledger)
    return opened.append(
        Kind.ADOPTED, policies=given.digests, evidence={"policies": keep(opened, given)}, facts={"by": by},
        reasons=(f"{by}: {reason}", *(f"{name}: {change}" for name, found in changes.items() for change in found)),
    )  # fmt: skip


def keep(ledger: Ledger, policies: Policies) -> str:
    """Put policies into the evidence; returns the digest that names them."""
    content = {"format": FORMAT, "release": __version__, "applied": policies.applied, "written": policies.written}
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / POLICIES_FILE).write_bytes(digest.canonical_json(content))
        return ledger.keep(Path(scratch))


def _today(gate: str, earlier: dict[str, Any]) -> dict[str, Any] | None:
    """An earlier policy as this release reads it, defaults filled in; None where it cannot."""
    try:
        return POLICIES[gate].model_validate(earlier).model_dump(mode="json")
    except ValidationError:
        return None


def _changes(ledger: Ledger, entry: Entry, policies: Policies) -> dict[str, list[str]]:
    """Gate (and ``push``) to what differs from the policies that an entry put in force."""
    earlier, found = approved(ledger, entry), {}
    for name in POLICIES:
        now, then = policies.applied[name], _today(name, earlier.applied.get(name, {}))
        if then is None:  # a field that was in use is gone, or takes other values
            unchanged = entry.format > 1 and entry.policies.get(name) == policies.digests[name]
            then = now if unchanged else earlier.applied[name]
        written = (earlier.written.get(name, {}), policies.written[name])
        if changes := [_change(*change, written) for change in differences(then, now)]:
            found[name] = changes
    return found


def _change(path: tuple[str | int, ...], before: Any, after: Any, written: tuple[Any, Any]) -> str:
    """A difference in words, e.g. ``min_rows: 1000 -> 10``; `written` is the policy as written before and now."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    nobody_wrote_it = not any(_holds(policy, path) for policy in written)
    return f"{name}: {_shown(before)} -> {_shown(after)}" + (" (the default has changed)" if nobody_wrote_it else "")


def _holds(value: Any, path: tuple[str | int, ...]) -> bool:
    """Whether a JSON value has something at a path."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def differences(
    before: Any, after: Any, path: tuple[str | int, ...] = ()
) -> list[tuple[tuple[str | int, ...], Any, Any]]:
    """Where two JSON values differ: path, value before, value after."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted({*before, *after})
        return [found for name in names for found in differences(before.get(name), after.get(name), (*path, name))]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [found for index, (old, new) in pairs for found in differences(old, new, (*path, index))]
    return [] if before == after else [(path, before, after)]


def _shown(value: Any) -> str:
    return shorten(json.dumps(value), 80)
