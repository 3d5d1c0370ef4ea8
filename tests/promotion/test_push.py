"""The pusher: what it publishes, and what it refuses whatever the graph around it says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice import digest
from sluice.errors import SluiceError
from sluice.gates.verdict import Outcome, Verdict
from sluice.promotion import law, signature
from sluice.promotion.destinations import base
from sluice.promotion.destinations.folder import LocalFolder
from sluice.promotion.ledger import Entry, Kind, Ledger
from sluice.promotion.resolve import resolve
from sluice.promotion.rollback import rollback
from tests.promotion import made
from tests.promotion.made import Candidate, content


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


def served(folder: Path) -> dict[int, str]:
    return {version: content(folder / str(version)) for version in base.at(str(folder)).versions()}


def test_what_three_gates_blessed_is_published(candidate: Candidate, ledger: str, published: Path) -> None:
    entry = candidate.push(ledger, str(published))
    assert (entry.kind, entry.number, entry.champion, entry.law, entry.model) == (
        Kind.PROMOTED,
        1,
        1,
        1,
        candidate.digest,
    )
    assert digest.of_tree(published / "1") == candidate.digest
    assert [path.name for path in (published / ".staging").iterdir()] == []
    assert Ledger.at(ledger).verify() == []


def swap_model(candidate: Candidate) -> None:
    (candidate.model / "saved_model.pb").write_text("swapped")


def edit_status(candidate: Candidate) -> None:
    candidate.judge(None, Outcome.FAILED)
    file = candidate.folder / "verdict-model" / "verdict.json"
    file.write_text(file.read_text().replace('"NOT_BLESSED"', '"BLESSED"'))


def steal_verdict(candidate: Candidate) -> None:
    other = made.candidate(candidate.folder / "other", "other")
    other.judge(None)
    (other.folder / "verdict-model" / "verdict.json").replace(candidate.folder / "verdict-model" / "verdict.json")


def test_a_symbolic_link_is_no_part_of_a_model(candidate: Candidate, ledger: str, published: Path) -> None:
    (candidate.model / "saved_model.pb").rename(candidate.folder / "elsewhere")
    (candidate.model / "saved_model.pb").symlink_to(candidate.folder / "elsewhere")
    with pytest.raises(SluiceError, match=r"saved_model.pb: a symbolic link"):
        candidate.push(ledger, str(published))
    assert served(published) == {}


def weaken_policy(candidate: Candidate) -> None:
    candidate.policies["model"] = {"rules": [{"metric": "auc", "at_least": 0.55}]}


def remove_verdict(candidate: Candidate) -> None:
    (candidate.folder / "verdict-service" / "verdict.json").unlink()


def close_gate(candidate: Candidate) -> None:
    candidate.judge(None, Outcome.INCONCLUSIVE)


def retrain(candidate: Candidate) -> None:
    file = candidate.model / "model.json"
    file.write_text(file.read_text().replace("sha256:examples", "sha256:others"))
    candidate.judge(None)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (swap_model, "the model gate judged other model than these"),
        (edit_status, "does not follow from the reasons"),
        (steal_verdict, "the model gate judged other model than these"),
        (weaken_policy, "the model gate judged by another policy than the use case has"),
        (remove_verdict, "the verdict of the service gate: no readable verdict"),
        (close_gate, "the data gate says INCONCLUSIVE"),
        (retrain, "the model was trained on other examples"),
    ],
)
def test_whatever_was_tampered_with_is_refused(
    candidate: Candidate, ledger: str, published: Path, tamper: Callable[[Candidate], None], reason: str
) -> None:
    tamper(candidate)
    entry = candidate.push(ledger, str(published))
    assert entry.kind is Kind.REFUSED
    assert any(reason in given for given in entry.reasons), entry.reasons
    assert served(published) == {}
    assert not list(published.glob(".staging/*"))


def test_a_policy_weakened_in_the_run_s_parameters_is_refused_until_it_is_adopted(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    """Gate and pusher get the same weak policy: only the ledger knows that it is another one."""
    candidate.push(ledger, str(published))
    weak = made.candidate(tmp_path / "weak", "weak")
    weak.policies["model"] = {"rules": [{"metric": "auc", "at_least": 0.55}]}
    refused = weak.judged_and_pushed(ledger, str(published))
    assert refused.kind is Kind.REFUSED
    assert refused.reasons == (
        "the model policy is not the one in force since entry 1 "
        "(rules[0].at_least: 0.65 -> 0.55): "
        "if the change is meant, adopt it (sluice adopt --reason ...)",
    )
    with pytest.raises(SluiceError, match="is not the one in force since entry 1"):
        law.check(ledger, weak.policies)
    adopted = law.adopt(ledger, weak.policies, reason="0.65 was out of reach", by="ann")
    assert (adopted.kind, adopted.law, adopted.champion) == (Kind.ADOPTED, 3, 1)
    assert adopted.reasons[0] == "ann: 0.65 was out of reach"
    law.check(ledger, weak.policies)
    assert weak.judged_and_pushed(ledger, str(published)).kind is Kind.PROMOTED
    with pytest.raises(SluiceError, match="are in force already, since entry 3"):
        law.adopt(ledger, weak.policies, reason="again", by="ann")
    assert Ledger.at(ledger).verify() == []


def test_a_pusher_s_own_policy_is_law_as_well(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    candidate.policies["push"] = {"keep": 5}
    candidate.push(ledger, str(published))
    other = made.candidate(tmp_path / "other", "other")
    reasons = other.judged_and_pushed(ledger, str(published)).reasons
    assert any("the push policy is not the one in force since entry 1 (keep: 5 -> 0)" in reason for reason in reasons)


def test_a_model_judged_against_a_champion_that_is_no_longer_one(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    candidate.push(ledger, str(published))
    late = made.candidate(tmp_path / "late", "late")
    late.judge(None)
    assert "the champion is now version 1" in late.push(ledger, str(published)).reasons[0]


def test_the_champion_itself_is_not_pushed_again(candidate: Candidate, ledger: str, published: Path) -> None:
    candidate.push(ledger, str(published))
    again = candidate.judged_and_pushed(ledger, str(published))
    assert again.reasons == ("the model is the champion, version 1: there is nothing to push",)


def test_retention_keeps_the_newest_the_champion_and_the_one_before(
    ledger: str, published: Path, tmp_path: Path
) -> None:
    for number in range(1, 6):
        one = made.candidate(tmp_path / str(number), f"model {number}")
        one.policies["push"] = {"keep": 3}
        assert one.judged_and_pushed(ledger, str(published)).kind is Kind.PROMOTED
    assert sorted(served(published)) == [3, 4, 5]
    back = rollback(ledger, reason="worse", by="ann", to=3)
    assert served(published)[back.number] == "model 3"
    one = made.candidate(tmp_path / "7", "model 7")
    one.policies["push"] = {"keep": 1}
    law.adopt(ledger, one.policies, reason="less", by="ann")
    assert one.judged_and_pushed(ledger, str(published)).number == 8
    assert sorted(served(published)) == [6, 8]  # the champion, and the one served before it
    with pytest.raises(SluiceError, match="version 5 is no longer published"):
        rollback(ledger, reason="worse", by="ann", to=5)


def test_what_a_push_that_was_cut_off_left_staged_is_swept(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    place = base.at(str(published))
    place.stage(candidate.model, "0-leftover")
    candidate.push(ledger, str(published))
    assert place.staged() == []
    place.stage(candidate.model, "1-another-push-at-work")
    one = made.candidate(tmp_path / "one", "one")
    assert one.judged_and_pushed(ledger, str(published)).kind is Kind.PROMOTED
    assert place.staged() == []
    place.stage(candidate.model, "2-at-work")
    two = made.candidate(tmp_path / "two", "two")
    two.judge(None)
    assert two.push(ledger, str(published)).kind is Kind.REFUSED
    assert place.staged() == ["2-at-work"]


@pytest.mark.parametrize("fault", [OSError("no answer"), KeyboardInterrupt()], ids=["answer lost", "interrupted"])
def test_what_was_committed_after_all_is_published_by_the_next_run(
    candidate: Candidate,
    ledger: str,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
) -> None:
    append = Ledger.append

    def cut_off(*args: Any, **kwargs: Any) -> None:
        append(*args, **kwargs)
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", cut_off)
        with pytest.raises(type(fault)):
            candidate.push(ledger, str(published))
    assert served(published) == {}
    second = made.candidate(tmp_path / "second", "second")
    assert second.judged_and_pushed(ledger, str(published)).number == 2
    assert served(published) == {1: "first", 2: "second"}


def test_what_another_ledger_published_is_not_touched(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    """Nor can a ledger of one's own, in which no law is in force, publish there."""
    candidate.push(ledger, str(published))
    other = made.candidate(tmp_path / "other", "other")
    for _ in range(2):  # the second time it has an entry of that number
        with pytest.raises(SluiceError, match=r"version 1 is published there, and this ledger .* knows nothing of it"):
            other.judged_and_pushed(str(tmp_path / "empty"), str(published))
        Ledger.at(str(tmp_path / "empty")).append(Kind.REFUSED, reasons=("too few rows",))
    assert served(published) == {1: "first"}


@pytest.fixture
def two_places(tmp_path: Path) -> str:
    return f"{tmp_path / 'here'} {tmp_path / 'there'}"


def test_several_destinations_get_the_same(candidate: Candidate, ledger: str, two_places: str, tmp_path: Path) -> None:
    entry = candidate.push(ledger, two_places)
    assert entry.kind is Kind.PROMOTED
    for place in two_places.split():
        assert digest.of_tree(Path(place) / "1") == entry.model


def refuse_to_publish(monkeypatch: pytest.MonkeyPatch, folder: Path, *, undo: bool = True) -> None:
    """Have one destination fail at the last step, and be well again when the patch is undone."""
    publish, withdraw = LocalFolder.publish, LocalFolder.withdraw

    def failing(self: LocalFolder, name: str, version: int, **options: bool) -> None:
        if self.root == folder:
            raise OSError("the endpoint has no quota")
        publish(self, name, version, **options)

    def stuck(self: LocalFolder, version: int, previous: int | None) -> None:
        if not undo and self.root != folder:
            raise OSError("the endpoint does not answer")
        withdraw(self, version, previous)

    monkeypatch.setattr(LocalFolder, "publish", failing)
    monkeypatch.setattr(LocalFolder, "withdraw", stuck)


def test_where_one_destination_fails_all_are_set_back(
    candidate: Candidate, ledger: str, two_places: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = candidate.push(ledger, two_places)
    second = made.candidate(tmp_path / "second", "second")
    with monkeypatch.context() as patch:
        refuse_to_publish(patch, tmp_path / "there")
        entry = second.judged_and_pushed(ledger, two_places)
    assert (entry.kind, entry.withdraws, entry.restores, entry.champion) == (Kind.WITHDRAWN, 2, 1, 1)
    assert entry.reasons[0].endswith("there: the endpoint has no quota")
    assert entry.reasons[1] == "version 1 is served, as before"
    for place in two_places.split():
        assert served(Path(place)) == {1: "first"}
        assert not list(Path(place).glob(".staging/*"))
    assert Ledger.at(ledger).champion() == first
    assert Ledger.at(ledger).verify() == []
    assert second.judged_and_pushed(ledger, two_places).number == 4
    assert served(tmp_path / "there") == {1: "first", 4: "second"}


def test_what_cannot_be_undone_is_said_and_done_by_the_next_push(
    candidate: Candidate, ledger: str, two_places: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate.push(ledger, two_places)
    second = made.candidate(tmp_path / "second", "second")
    with monkeypatch.context() as patch:
        refuse_to_publish(patch, tmp_path / "there", undo=False)
        with pytest.raises(SluiceError, match=r"could not be undone at .*here: the endpoint does not answer"):
            second.judged_and_pushed(ledger, two_places)
    assert served(tmp_path / "here") == {1: "first", 2: "second"}
    third = made.candidate(tmp_path / "third", "third")
    assert third.judged_and_pushed(ledger, two_places).kind is Kind.PROMOTED
    assert served(tmp_path / "here") == served(tmp_path / "there") == {1: "first", 4: "third"}


def test_a_destination_that_takes_nothing_is_known_before_anything_is_decided(
    candidate: Candidate, ledger: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        candidate.push(ledger, f"{tmp_path / 'here'} {tmp_path / 'file'}")
    assert Ledger.at(ledger).numbers() == []
    assert not list((tmp_path / "here").glob(".staging/*"))


def test_facts_are_on_record(
    candidate: Candidate, ledger: str, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_IMAGE", "registry/sluice/light@sha256:abc")
    assert candidate.push(ledger, str(published)).facts == {"image": "registry/sluice/light@sha256:abc"}
    file = candidate.folder / "verdict-service" / "verdict.json"
    named = Verdict.load(file.parent).model_copy(
        update={"evidence": {"image": "registry/sluice/tensorflow@sha256:def"}}
    )
    named.save(file.parent)
    facts = candidate.push(ledger, str(published)).facts
    assert facts["image-service"] == "registry/sluice/tensorflow@sha256:def"


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
    assert served(published) == {}


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
        law.complete(
            {"data": {}, "model": made.MODEL_POLICY, "service": {}, "push": {"signers": [keys["ours"].read_text()]}}
        )


def test_a_resolved_champion_is_what_was_pushed(
    candidate: Candidate, ledger: str, published: Path, tmp_path: Path
) -> None:
    entry: Entry = candidate.push(ledger, str(published))
    outs = {f"{name}_out": tmp_path / "got" / name for name in ("model", "statistics", "schema")}
    assert resolve(ledger, **outs) == entry
    assert digest.of_tree(tmp_path / "got" / "model") == entry.model
