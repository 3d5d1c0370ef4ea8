"""Signatures by OpenSSF model-signing: who vouches for a model or a verdict.

The signature lies beside what it signs, as ``signature.json`` (a Sigstore bundle over the digests of all other files).
A stage signs where the environment names a key: ``SLUICE_SIGNING_KEY``, either the path of an elliptic-curve private
key (PEM, e.g. a mounted secret; its password in ``SLUICE_SIGNING_PASSWORD``) or a ``pkcs11:`` URI (RFC 7512), by which
cloud key management services and hardware modules sign without giving the key away.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from sluice.digest import SIGNATURE_FILE
from sluice.errors import SluiceError

KEY, PASSWORD = "SLUICE_SIGNING_KEY", "SLUICE_SIGNING_PASSWORD"


def sign_if_asked(folder: Path) -> bool:
    """Sign a folder where the environment names a key; returns whether it did.

    Raises:
        SluiceError: the key cannot be used.
    """
    key = os.environ.get(KEY, "")
    if key:
        sign(folder, key, os.environ.get(PASSWORD))
    return bool(key)


def sign(folder: Path, key: str, password: str | None = None) -> None:
    """Write ``signature.json`` for a folder.

    Args:
        folder: what is signed: every file in it but the signature.
        key: path of a private key, or a ``pkcs11:`` URI.
        password: of the private key, if it has one.

    Raises:
        SluiceError: the key is not there, needs another password, or is of no kind that can sign.
    """
    from model_signing import hashing, signing

    target = folder / SIGNATURE_FILE
    config = signing.Config().set_hashing_config(
        hashing.Config().set_ignored_paths(paths=[target], ignore_git_paths=False)
    )
    partial = folder.parent / f"{folder.name}.{SIGNATURE_FILE}.partial"
    try:
        if key.startswith("pkcs11:"):
            config.use_pkcs11_signer(pkcs11_uri=key)
        else:
            config.use_elliptic_key_signer(private_key=key, password=password)
        config.sign(folder, partial)
    except ImportError as error:
        raise SluiceError(f"signing with a PKCS#11 key needs a package: {error}", where=KEY,
                          remedy="install model-signing[pkcs11] in the image of the step") from None  # fmt: skip
    except _refusals() as error:
        raise SluiceError(f"the signing key cannot be used: {str(error) or type(error).__name__}", where=f"environment variable {KEY}",
                          remedy="name an elliptic-curve private key in PEM form, or a pkcs11: URI with its module-path and PIN") from None  # fmt: skip
    partial.replace(target)


def _refusals() -> tuple[type[Exception], ...]:
    """What a key that cannot be used raises; a PKCS#11 token's own error, where its library was needed."""
    token = sys.modules.get("PyKCS11")
    return (OSError, ValueError, TypeError, *((token.PyKCS11Error,) if token else ()))


def objection(folder: Path, signers: tuple[str, ...] | list[str]) -> str:
    """Why none of the signers vouches for a folder, in words that follow its name; empty where one does.

    Args:
        folder: what was signed.
        signers: public keys in PEM form.
    """
    from model_signing import verifying

    target = folder / SIGNATURE_FILE
    if not target.is_file():
        return "is not signed, and the policy asks for a signature"
    said = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, signer in enumerate(signers):
            key = Path(scratch) / f"{number}.pem"
            key.write_text(signer)
            try:
                verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder, target)
            except Exception as error:
                said.append(str(error) or type(error).__name__)
            else:
                return ""
    return f"is signed by no one the policy trusts, or was changed since: {'; '.join(dict.fromkeys(said))}"
