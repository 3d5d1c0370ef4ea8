"""`sluice evaluate` and `sluice waive`: the model gate outside a pipeline, and a person's word beside it."""

from __future__ import annotations

import base64
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.errors import SluiceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def evaluate(
    candidate: Annotated[Path, typer.Option(help="A model's folder, or a Parquet or CSV file of predictions.")],
    policy: Annotated[
        Path, typer.Option(help="A model policy, a sluice.yaml that holds one, or TFMA's EvalConfig (JSON, pbtxt).")
    ],
    baseline: Annotated[Path | None, typer.Option(help="The model, or the predictions, to compare with.")] = None,
    examples: Annotated[Path | None, typer.Option(help="Folder of examples to score models on.")] = None,
    split: Annotated[str, typer.Option(help="Split that is scored.")] = "eval",
    task: Annotated[str, typer.Option(help="For predictions: binary, regression or ranking.")] = "binary",
    label: Annotated[str, typer.Option(help="For predictions: the label's column.")] = "",
    key: Annotated[str, typer.Option(help="For predictions: the column that names a row.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for verdict, report and TFMA's files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge a model, or a file of predictions, by a policy. Exit status: 0 BLESSED, 3 NOT_BLESSED, 4 INCONCLUSIVE.

    A file of predictions has a key, the label, a column [b]prediction[/b], and the columns that the policy slices by.

    Example: sluice evaluate --candidate new.parquet --baseline old.parquet --label late --key id --policy policy.yaml
    """
    from sluice.client import engine

    folder = (out or Path(tempfile.mkdtemp(prefix="sluice-evaluate-"))).absolute()
    options = {"candidate": candidate, "policy": policy, "baseline": baseline, "examples": examples}
    given = [f"--{name}={value.absolute()}" for name, value in options.items() if value is not None]
    given += [f"--split={split}", f"--task={task}", f"--label={label}", f"--key={key}", f"--out={folder}"]
    engine.run("sluice.evaluation.command", "evaluate", *given)
    engine.conclude(folder, as_json=as_json)


def waive(
    model: Annotated[str, typer.Option(help="Digest of the model, as the verdict's subjects name it.")],
    rule: Annotated[
        list[str],
        typer.Option(help="Rule to waive, [b]at_least[/b] or [b]at_least: auc @ carrier=HA[/b]; may be repeated."),
    ],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    by: Annotated[str, typer.Option(help="Who answers for it.")],
    key: Annotated[
        Path, typer.Option(help="Private key (Ed25519, PEM); made, with its public key told, where there is none.")
    ],
    out: Annotated[Path, typer.Option(help="File to write, in the folder that policies.model.waivers names.")],
    days: Annotated[float, typer.Option(help="Days until it expires.")] = 7.0,
) -> None:
    """Sign a waiver: named rules, of one model, for a time, with a reason. It is told in the verdict and the ledger.

    Example: sluice waive --model sha256:... --rule bootstrap --reason "first model, seen by the board" --by ann --key ann.pem --out waivers/1.json
    """
    from pydantic import ValidationError

    from sluice.config.explain import explain
    from sluice.gates.model.waiver import Waiver

    private = _key(key)
    expires = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    try:
        waiver = Waiver(model=model, rules=tuple(rule), reason=reason, by=by, expires=expires)
    except ValidationError as error:
        raise SluiceError(explain(error, Waiver), where="sluice waive") from None
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(waiver.signed(private).model_dump_json(indent=2) + "\n")
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    typer.echo(f"{out}: {', '.join(rule)} of {model[:19]}... until {expires:%Y-%m-%d %H:%M} UTC\n"
               f"counts where policies.model.waiver_keys holds {public}")  # fmt: skip


def _key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path.exists():
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), None)
        except (TypeError, ValueError):
            raise SluiceError("not an unencrypted private key in PEM", where=str(path)) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise SluiceError("not an Ed25519 key", where=str(path), remedy="name a file that is not there to make one")
        return private
    private = Ed25519PrivateKey.generate()
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    return private
