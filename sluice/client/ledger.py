"""`sluice ledger`: what was promoted, refused and rolled back, when, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.client.options import Config
from sluice.errors import SluiceError

if TYPE_CHECKING:
    from sluice.promotion.ledger import Ledger

app = typer.Typer(no_args_is_help=True, help="Read the ledger: what was promoted, refused and rolled back, and why.")

Uri = Annotated[str, typer.Option("--ledger", help="URI of the ledger; default: the use case's.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
STYLE = {
    "promoted": "green",
    "refused": "red",
    "rolled_back": "yellow",
    "withdrawn": "red",
    "adopted": "cyan",
    "routed": "cyan",
    "pruned": "dim",
}


def _open(config: Path, uri: str) -> Ledger:
    from sluice.config.load import load
    from sluice.promotion.ledger import Ledger

    return Ledger.at(uri or load(config).ledger)


@app.command()
def log(config: Config = Path("sluice.yaml"), ledger: Uri = "", as_json: Json = False) -> None:
    """List every decision, the newest first.

    Example: sluice ledger log --config examples/flights
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    entries = list(_open(config, ledger).entries())
    if as_json:
        typer.echo(json.dumps([json.loads(entry.to_bytes()) for entry in entries], indent=2))
        return
    table = Table("entry", "version", "when (UTC)", "decision", "span", "why", box=None, header_style="dim")
    for entry in entries:
        when = entry.time.removesuffix("+00:00").replace("T", " ")
        why = entry.reasons[0] if len(entry.reasons) == 1 or entry.kind == "refused" else "; ".join(entry.reasons)
        if entry.notes:
            why += f" ({len(entry.notes)} notes: sluice ledger show {entry.number})"
        version = str(entry.version or "")
        table.add_row(
            str(entry.number), version, when, f"[{STYLE[entry.kind]}]{entry.kind}[/]", entry.span, escape(why)
        )
    Console(highlight=False).print(table if entries else "The ledger is empty: nothing was judged yet.")


@app.command()
def show(number: int, config: Config = Path("sluice.yaml"), ledger: Uri = "") -> None:
    """Print one entry whole, as it is stored.

    Example: sluice ledger show 3 --config examples/flights
    """
    typer.echo(json.dumps(json.loads(_open(config, ledger).entry(number).to_bytes()), indent=2))


@app.command()
def champion(config: Config = Path("sluice.yaml"), ledger: Uri = "", as_json: Json = False) -> None:
    """Say which version is served, and where. Exit status 1 where there is none.

    Example: sluice ledger champion --config examples/flights
    """
    entry = _open(config, ledger).champion()
    if entry is None:
        raise SluiceError("there is no champion yet", remedy="run the training pipeline: sluice run")
    if as_json:
        typer.echo(json.dumps(json.loads(entry.to_bytes()), indent=2))
    else:
        typer.echo(
            f"version {entry.version} of {entry.use_case}, trained on span {entry.span or '(none)'}: {', '.join(entry.destinations)}"
        )


@app.command()
def verify(config: Config = Path("sluice.yaml"), ledger: Uri = "") -> None:
    """Check that no entry, no evidence and no part of the journal was changed, removed or reordered. Exit status 1 where one was.

    Example: sluice ledger verify --config examples/flights
    """
    opened = _open(config, ledger)
    problems = opened.verify()
    if problems:
        raise SluiceError("the ledger does not verify:\n  " + "\n  ".join(problems), where=opened.store.uri,
                          remedy="restore it from a backup; until then trust no entry from the first named on")  # fmt: skip
    typer.echo(
        f"{len(opened.numbers())} entries, each following from the one before; all evidence is as it was written"
    )
    for writer in opened.journal.writers():
        parts = len(opened.journal.numbers(writer))
        typer.echo(f"the journal of {writer}: {parts:,} part{'s' * (parts != 1)}, each following from the one before")


@app.command()
def journal(
    writer: Annotated[str, typer.Argument(help="Whose records; default: everyone's.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many of each writer.")] = 20,
    config: Config = Path("sluice.yaml"),
    ledger: Uri = "",
    as_json: Json = False,
) -> None:
    """List what the journal holds beside the ledger: observations, scored batches, retrainings that are not due; the newest first.

    Example: sluice ledger journal --limit 5 --config examples/flights
    """
    from itertools import islice

    from rich.console import Console
    from rich.table import Table

    opened = _open(config, ledger).journal
    known = opened.writers()
    if writer and writer not in known:
        raise SluiceError(f"the journal has no writer {writer!r}", where=opened.store.uri,
                          remedy=f"writers: {', '.join(known) or 'none yet'}")  # fmt: skip
    found = {name: list(islice(opened.records(name), limit)) for name in ([writer] if writer else known)}
    if as_json:
        typer.echo(
            json.dumps({k: [record.model_dump(mode="json") for record in v] for k, v in found.items()}, indent=2)
        )
        return
    table = Table("writer", "when (UTC)", "what", "version", "span", "why", box=None, header_style="dim")
    for name, records in found.items():
        for record in records:
            when = record.time.removesuffix("+00:00").replace("T", " ")
            version = str(record.version or "")
            table.add_row(name, when, record.kind, version, record.span, "; ".join(record.reasons))
    Console(highlight=False).print(table if table.row_count else "The journal is empty.")


@app.command()
def prune(
    days: Annotated[float, typer.Option(min=0, help="Records older than so many days go.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    by: Annotated[str, typer.Option(help="Who; default: the user.")] = "",
    config: Config = Path("sluice.yaml"),
    ledger: Uri = "",
) -> None:
    """Remove old parts of the journal. The removal is an entry of the ledger, whose own entries stay.

    Example: sluice ledger prune --days 90 --reason "kept for a quarter" --config examples/flights
    """
    import getpass
    from datetime import UTC, datetime, timedelta

    before = datetime.now(UTC) - timedelta(days=days)
    entry = _open(config, ledger).prune(before, reason=reason, by=by or getpass.getuser())
    typer.echo(
        f"entry {entry.number}: {'; '.join(entry.reasons[1:])}" if entry else "nothing to remove: no part is that old"
    )
