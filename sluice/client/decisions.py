"""`sluice rollback`, `sluice adopt`, `sluice route`: what people decide, by name and with a reason."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from sluice.client.ledger import Uri
from sluice.client.options import Config, Overrides, parse_overrides
from sluice.errors import SluiceError


def _given(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("say why: the record is read by others, and later")
    return reason


Reason = Annotated[str, typer.Option(help="Why, for the record.", callback=_given)]


def rollback(
    reason: Reason,
    to: Annotated[int | None, typer.Option(help="The version; default: the one served before the champion.")] = None,
    by: Annotated[str, typer.Option(help="Who; default: the user.")] = "",
    config: Config = Path("sluice.yaml"),
    ledger: Uri = "",
) -> None:
    """Publish an earlier blessed version again, under a new number. It is an entry of the ledger like any other.

    Example: sluice rollback --reason "late flights are missed since Monday" --config examples/flights
    """
    from sluice.config.load import load
    from sluice.promotion.ledger import Kind, Ledger
    from sluice.promotion.rollback import rollback as restore

    uri = ledger or load(config).ledger
    entry = restore(uri, reason=reason, by=by or getpass.getuser(), to=to)
    if entry.kind is Kind.WITHDRAWN:
        raise SluiceError(
            "; ".join(entry.reasons),
            where=f"entry {entry.number}",
            remedy="see to the destination, then roll back again",
        )
    restored = Ledger.at(uri).entry(entry.restores or 0).version
    typer.echo(
        f"version {entry.version} is the champion: it is version {restored} again ({', '.join(entry.destinations)})"
    )


def adopt(
    reason: Reason,
    by: Annotated[str, typer.Option(help="Who; default: the user.")] = "",
    config: Config = Path("sluice.yaml"),
    overrides: Overrides = None,
) -> None:
    """Put the use case's policies in force. Until then the pusher refuses models judged by others than those on record.

    Example: sluice adopt --reason "the bound on log loss was too tight for winter" --config examples/flights
    """
    from sluice.config.load import load
    from sluice.promotion import approved_policies

    use_case = load(config, parse_overrides(overrides))
    entry = approved_policies.adopt(
        use_case.ledger, use_case.policies.model_dump(mode="json"), reason=reason, by=by or getpass.getuser()
    )
    typer.echo(
        f"entry {entry.number}: these policies are in force\n  " + "\n  ".join(entry.reasons[1:] or ("the first",))
    )


def route(
    percent: Annotated[int, typer.Argument(min=1, max=100, help="Share of the traffic.")],
    reason: Reason,
    by: Annotated[str, typer.Option(help="Who; default: the user.")] = "",
    config: Config = Path("sluice.yaml"),
    ledger: Uri = "",
) -> None:
    """Give the champion so much of the traffic at its Vertex AI and KServe destinations; the rest stays as it was.

    Example: sluice route 100 --reason "three days without complaint" --config examples/flights
    """
    from sluice.config.load import load
    from sluice.promotion.route import route as give

    entry = give(ledger or load(config).ledger, percent=percent, reason=reason, by=by or getpass.getuser())
    typer.echo(f"entry {entry.number}: {entry.reasons[-1]} ({', '.join(entry.destinations)})")
