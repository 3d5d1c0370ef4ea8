"""Reading ``sluice.yaml``: one readable message for a wrong key, a wrong type or a path that is not there."""

from __future__ import annotations

import contextlib
import getpass
import math
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import ValidationError

from sluice import digest, storage
from sluice.config.explain import explain
from sluice.config.usecase import UseCase
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from sluice.modules import Code

CONFIG_FILE = "sluice.yaml"
EXACT = 2**53
"""Whole numbers up to here are doubles of the same size."""
C = TypeVar("C", bound="Code")


def load(path: Path, overrides: dict[str, Any] | None = None) -> UseCase:
    """Read a use case; local URIs in it are relative to its file and become absolute.

    Args:
        path: the file, or the folder that holds ``sluice.yaml``.
        overrides: dotted path to value, put over what the file says, e.g. ``{"trainer.steps": 100}``.

    Raises:
        SluiceError: the file is not there, is not YAML, or does not fit the model.
    """
    file = path / CONFIG_FILE if path.is_dir() else path
    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise SluiceError(
            "no such file",
            where=str(file),
            remedy="name a sluice.yaml with --config; examples/flights/sluice.yaml is one to start from",
        ) from None
    except yaml.YAMLError as error:
        raise SluiceError(f"not YAML: {error}", where=str(file)) from None
    if not isinstance(content, dict):
        raise SluiceError(
            "a mapping is expected at the top", where=str(file), remedy="see examples/flights/sluice.yaml"
        )
    for dotted, value in (overrides or {}).items():
        _put(content, dotted, value)
    try:
        use_case = UseCase.model_validate(content)
    except ValidationError as error:
        raise SluiceError(explain(error, UseCase), where=str(file)) from None
    return _anchored(use_case, file.parent.absolute())


def _put(content: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for key in parents:
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise SluiceError(f"{dotted!r} leads through {key!r}, which is not a mapping", where="--set")
    content[last] = value


def _anchored(use_case: UseCase, folder: Path) -> UseCase:
    """Local URIs relative to the file's folder, made absolute: a step may run anywhere."""

    def absolute(uri: str) -> str:
        if "://" in uri or not uri or not storage.is_local(uri):
            return uri
        return str(Path(folder, uri).resolve()) if not Path(uri).is_absolute() else uri

    def anchored(code: C) -> C:
        return code.model_copy(update={"module": absolute(code.module)}) if code.is_file else code

    source = use_case.source.model_copy(update={"uri": absolute(use_case.source.uri)})
    checkpoints = absolute(use_case.trainer.checkpoints)
    trainer = use_case.trainer.model_copy(update={"code": anchored(use_case.trainer.code), "checkpoints": checkpoints})
    features = use_case.features.model_copy(update={"preprocess": anchored(use_case.features.preprocess)})
    return use_case.model_copy(update={
        "source": source, "features": features, "trainer": trainer, "schema_file": absolute(use_case.schema_file),
        "destination": tuple(absolute(uri) for uri in use_case.destination), "ledger": absolute(use_case.ledger),
    })  # fmt: skip


def arguments(
    use_case: UseCase, span: str, facts: dict[str, str] | None = None, *, run_page: str = ""
) -> dict[str, Any]:
    """The training pipeline's arguments, as plain JSON values.

    Args:
        use_case: the use case.
        span: the span to train on.
        facts: for the record: who starts the run, of which commit (see `provenance`).
        run_page: address of a run's page, with ``{id}`` and ``{name}`` where its ID and name go.

    Raises:
        SluiceError: a number that would arrive as another one, or a given schema that is not there.
    """
    plain = use_case.model_dump(mode="json", exclude_none=True)  # KFP's structs hold no null
    if own := plain["trainer"]["hyperparameters"]:
        plain["trainer"]["hyperparameters"] = digest.canonical_json(own).decode()  # nor do they tell 1 from 1.0
    _carried(plain, "")
    return {
        **{key: plain[key] for key in ("name", "source", "label", "features", "split", "trainer", "ledger")},
        "destinations": plain["destination"],
        **{f"{gate}_policy": policy for gate, policy in plain["policies"].items()},
        "schema": _schema(use_case.schema_file),
        "span": span,
        "facts": facts or {},
        "run_page": run_page,
        "weights": [weight] if (weight := use_case.policies.model.weight) else [],
    }


def _carried(value: Any, path: str) -> None:
    """Every number is one that KFP hands on as it is.

    Raises:
        SluiceError: it is not.
    """
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _carried(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, int) and abs(value) > EXACT:
        raise SluiceError(f"KFP carries whole numbers as doubles, which are exact from -{EXACT} to {EXACT}, not {value}",
                          where=path, remedy="give a number in between")  # fmt: skip
    elif isinstance(value, float) and not math.isfinite(value):
        raise SluiceError(f"KFP carries no number like {value}", where=path, remedy="give a finite number")


def provenance(folder: Path) -> dict[str, str]:
    """Who starts a run, and the git commit of the use case's folder (``-dirty`` where it has changes), if it has one."""
    known = {"by": getpass.getuser()}
    with contextlib.suppress(OSError):
        said = subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
                              capture_output=True, text=True, check=False)  # fmt: skip
        if said.returncode == 0:
            known["commit"] = said.stdout.strip()
    return known


def _schema(uri: str) -> str:
    """The text of a given schema: it travels with the run, so that the run's record holds it.

    Raises:
        SluiceError: it is not there.
    """
    if not uri:
        return ""
    folder, _, name = uri.rpartition("/")
    try:
        return storage.Store.at(folder or ".").get(name).decode()
    except FileNotFoundError:
        raise SluiceError("no such schema", where=f"schema_file: {uri}",
                          remedy="make one with `sluice schema infer`, or leave schema_file out") from None  # fmt: skip
