"""`sluice rollback`: serve an earlier version again."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from sluice.client.ledger import Uri
from sluice.client.options import Config


def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    to: Annotated[int | None, typer.Option(help="The version; default: the one served before the champion.")] = None,
    by: Annotated[str, typer.Option(help="Who; default: the user.")] = "",
    config: Config = Path("sluice.yaml"),
    ledger: Uri = "",
) -> None:
    """Publish an earlier blessed version again, under a new number. It is an entry of the ledger like any other.

    Example: sluice rollback --reason "late flights are missed since Monday" --config examples/flights
    """
    from sluice.config.load import load
    from sluice.promotion.rollback import rollback as restore

    entry = restore(ledger or load(config).ledger, reason=reason, by=by or getpass.getuser(), to=to)
    typer.echo(
        f"version {entry.number} is the champion: it is version {entry.restores} again ({entry.destination}/{entry.number})"
    )
