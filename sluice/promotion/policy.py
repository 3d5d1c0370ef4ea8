"""The pusher's policy, as `policies.push` in sluice.yaml."""

from __future__ import annotations

from pydantic import Field, field_validator

from sluice.config.base import Strict


class PushPolicy(Strict):
    """What is pushed, and how much is kept.

    Attributes:
        signers: public keys (PEM); where any is given, model and verdicts have to be signed by one of them.
        keep: versions kept at the destination, the newest first; the champion and the one served before it are kept
            always; 0: all.
    """

    signers: tuple[str, ...] = ()
    keep: int = Field(default=0, ge=0)

    @field_validator("signers")
    @classmethod
    def _public_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            if not key.strip().startswith("-----BEGIN PUBLIC KEY-----"):
                raise ValueError("a public key in PEM form is expected: -----BEGIN PUBLIC KEY----- ...")
        return keys
