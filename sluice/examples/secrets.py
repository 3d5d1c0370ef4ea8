"""Secrets do not belong into a source's URI: it stands in YAML, in logs and in manifests."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from sluice.errors import SluiceError

_OPTIONS = {"password", "passwd", "pwd", "token", "private_key", "private_key_file_pwd", "passphrase", "sslpassword", "passcode",
            "sig", "signature", "x-amz-signature", "x-goog-signature"}  # fmt: skip


def refuse(uri: str) -> None:
    """Hold a URI's user and options against what secrets are called.

    Raises:
        SluiceError: there is one; the message does not hold it.
    """
    parts = urlsplit(uri)
    who, _, host = parts.netloc.rpartition("@")
    if ":" in who or _OPTIONS & {name.lower() for name in parse_qs(parts.query, keep_blank_values=True)}:
        raise SluiceError("a URI may hold no password", where=f"source.uri: {parts.scheme}://{host}{parts.path}",
                          remedy="take it out, and change it; credentials come from the environment "
                                 "(PGPASSFILE, connections.toml, application default credentials)")  # fmt: skip
