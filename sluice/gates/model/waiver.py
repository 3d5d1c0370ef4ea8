"""Waivers: a person answers for one model and named rules, with a reason and an end.

A waiver is a small JSON file signed with Ed25519 (RFC 8032). It turns what it names into warnings for the one model
whose digest it carries; it is told in the verdict, which the ledger keeps. Which keys count is said by the policy.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sluice import digest
from sluice.gates.verdict import Reason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Waiver(BaseModel):
    """One person's word for one model.

    Attributes:
        model: digest of the model.
        rules: names of the rules that are waived, as verdicts spell them, e.g. ``bootstrap``; or ``rule: subject`` for
            one subject only, e.g. ``at_least: auc @ carrier=HA``.
        reason: why.
        by: who.
        expires: until when (with a time zone).
        signature: Ed25519, base64, over the canonical JSON of everything else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    rules: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=10)
    by: str = Field(min_length=1)
    expires: AwareDatetime
    signature: str = ""

    def message(self) -> bytes:
        """What is signed."""
        return digest.canonical_json(self.model_dump(mode="json", exclude={"signature"}))

    def signed(self, key: Ed25519PrivateKey) -> Waiver:
        """The waiver with a signature."""
        return self.model_copy(update={"signature": base64.b64encode(key.sign(self.message())).decode()})

    def objection(self, keys: Iterable[str], now: datetime) -> str:
        """Why the waiver does not count now; empty where it does.

        Args:
            keys: public keys that count, Ed25519, base64.
            now: the time, with a zone.
        """
        if now >= self.expires:
            return f"it expired on {self.expires:%Y-%m-%d %H:%M %Z}"
        return "" if any(self._verifies(key) for key in keys) else "no key of the policy's waiver_keys signed it"

    def _verifies(self, key: str) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(
                base64.b64decode(self.signature), self.message()
            )
        except (InvalidSignature, ValueError):
            return False
        return True

    def covers(self, reason: Reason) -> bool:
        """Whether it names what a reason says."""
        return reason.rule in self.rules or f"{reason.rule}: {reason.subject}" in self.rules


def waive(reasons: list[Reason], waivers: Iterable[Waiver], model: str) -> tuple[list[Reason], dict[str, Any]]:
    """Turn what valid waivers name into warnings that say so; returns the reasons and the facts for the verdict."""
    ours = [waiver for waiver in waivers if waiver.model == model]
    told: list[Reason] = []
    for reason in reasons:
        waiver = next((w for w in ours if reason.closes and w.covers(reason)), None)
        if waiver is None:
            told.append(reason)
            continue
        words = f"{reason.sentence}; waived by {waiver.by} until {waiver.expires:%Y-%m-%d}: {waiver.reason}"
        told.append(reason.model_copy(update={"severity": Severity.WARNING, "sentence": words}))
    return told, {"waivers": [waiver.model_dump(mode="json") for waiver in ours]} if ours else {}
