"""Signatures: who vouches for a model and its verdicts, and what the pusher says where no one does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.promotion import approved_policies, signature
from sluice.promotion.destinations import base
from sluice.promotion.ledger import Kind, Ledger
from tests.promotion import made
from tests.promotion.made import Candidate


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(tmp_path / "ledger")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "published"


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    made_here = made.candidate(tmp_path / "candidate", "first")
    made_here.judge(None)
    return made_here


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two pairs of elliptic-curve keys, made by openssl."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / name], check=True
        )
        subprocess.run(
            ["openssl", "ec", "-in", folder / name, "-pubout", "-out", folder / f"{name}.pub"],
            check=True,
            capture_output=True,
        )
    return {name: folder / name for name in ("ours", "ours.pub", "theirs", "theirs.pub")}


def signed(candidate: Candidate, key: Path) -> Candidate:
    for folder in (candidate.model, *candidate.verdicts().values()):
        signature.sign(folder, str(key))
    return candidate


@pytest.fixture
def wary(candidate: Candidate, keys: dict[str, Path]) -> Candidate:
    """A candidate whose policy asks for our signature."""
    candidate.policies["push"] = {"signers": [keys["ours.pub"].read_text()]}
    return candidate


def test_a_signature_changes_no_digest_and_is_published(
    wary: Candidate, ledger: str, published: Path, keys: dict[str, Path]
) -> None:
    before = wary.digest
    assert signed(wary, keys["ours"]).digest == before
    entry = wary.push(ledger, str(published))
    assert entry.kind is Kind.PROMOTED
    assert signature.objection(published / "1", wary.policies["push"]["signers"]) == ""
    assert Ledger.at(ledger).verify() == []


def test_unsigned_wrongly_signed_and_changed_are_refused(
    wary: Candidate, ledger: str, published: Path, keys: dict[str, Path]
) -> None:
    unsigned = wary.push(ledger, str(published))
    assert unsigned.kind is Kind.REFUSED
    assert unsigned.reasons[0] == "the model is not signed, and the policy asks for a signature"
    assert len(unsigned.reasons) == 4
    wrongly = signed(wary, keys["theirs"]).push(ledger, str(published))
    assert wrongly.kind is Kind.REFUSED
    assert all("is signed by no one the policy trusts" in reason for reason in wrongly.reasons)
    signed(wary, keys["ours"])
    file = wary.folder / "verdict-service" / "verdict.json"
    file.write_text(json.dumps(json.loads(file.read_text())))  # the same verdict in other bytes
    assert "the verdict of the service gate is signed by no one" in wary.push(ledger, str(published)).reasons[0]
    assert base.at(str(published)).versions() == []


def test_an_added_file_is_not_covered_by_the_signature(wary: Candidate, keys: dict[str, Path]) -> None:
    signed(wary, keys["ours"])
    (wary.model / "more").write_text("x")
    assert "changed since" in signature.objection(wary.model, wary.policies["push"]["signers"])


def test_stages_sign_where_the_environment_names_a_key(
    candidate: Candidate, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not signature.sign_if_asked(candidate.model)
    monkeypatch.setenv("SLUICE_SIGNING_KEY", str(keys["ours"]))
    assert signature.sign_if_asked(candidate.model)
    assert signature.objection(candidate.model, [keys["theirs.pub"].read_text(), keys["ours.pub"].read_text()]) == ""
    monkeypatch.setenv("SLUICE_SIGNING_KEY", str(tmp_path / "nowhere"))
    with pytest.raises(SluiceError, match="environment variable SLUICE_SIGNING_KEY: the signing key cannot be used"):
        signature.sign_if_asked(candidate.model)


@pytest.fixture
def token(keys: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """URI of our private key in a PKCS#11 token, by SoftHSM, as key management services and hardware modules have it."""
    pytest.importorskip("PyKCS11", reason="model-signing[pkcs11] is not installed")
    module = Path("/usr/lib/softhsm/libsofthsm2.so")
    if not module.exists():
        pytest.skip("SoftHSM is not here: apt-get install softhsm2")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm.conf").write_text(
        f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n"
    )
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    pkcs8 = tmp_path / "pkcs8"
    for command in (
        ["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", keys["ours"], "-out", pkcs8],
        ["softhsm2-util", "--init-token", "--free", "--label", "sluice", "--pin", "1234", "--so-pin", "1234"],
        ["softhsm2-util", "--import", pkcs8, "--token", "sluice", "--label", "signer", "--id", "01", "--pin", "1234"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return f"pkcs11:token=sluice;object=signer?module-path={module}&pin-value=1234"


def test_a_key_in_a_token_signs(wary: Candidate, ledger: str, published: Path, token: str) -> None:
    with pytest.raises(SluiceError, match="the signing key cannot be used: CKR_PIN_INCORRECT"):
        signature.sign(wary.model, token.replace("1234", "4321"))
    for folder in (wary.model, *wary.verdicts().values()):
        signature.sign(folder, token)
    assert wary.push(ledger, str(published)).kind is Kind.PROMOTED


def test_a_signer_that_is_no_public_key_is_a_mistake(keys: dict[str, Path]) -> None:
    with pytest.raises(SluiceError, match=r"policies.push: .*a public key in PEM form is expected"):
        approved_policies.read(
            {"data": {}, "model": made.MODEL_POLICY, "service": {}, "push": {"signers": [keys["ours"].read_text()]}}
        )
