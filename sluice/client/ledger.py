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
    from rich.table import Table

    entries = list(_open(config, ledger).entries())
    if as_json:
        typer.echo(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=2))
        return
    table = Table("entry", "when (UTC)", "decision", "span", "why", box=None, header_style="dim")
    for entry in entries:
        when = entry.time.removesuffix("+00:00").replace("T", " ")
        why = entry.reasons[0] if len(entry.reasons) == 1 or entry.kind == "refused" else "; ".join(entry.reasons)
        table.add_row(str(entry.number), when, f"[{STYLE[entry.kind]}]{entry.kind}[/]", entry.span, why)
    Console(highlight=False).print(table if entries else "The ledger is empty: nothing was judged yet.")


@app.command()
def show(number: int, config: Config = Path("sluice.yaml"), ledger: Uri = "") -> None:
    """Print one entry whole, as JSON.

    Example: sluice ledger show 3 --config examples/flights
    """
    typer.echo(json.dumps(_open(config, ledger).entry(number).model_dump(mode="json"), indent=2))


@app.command()
def champion(config: Config = Path("sluice.yaml"), ledger: Uri = "", as_json: Json = False) -> None:
    """Say which version is served, and where. Exit status 1 where there is none.

    Example: sluice ledger champion --config examples/flights
    """
    entry = _open(config, ledger).champion()
    if entry is None:
        raise SluiceError("there is no champion yet", remedy="run the training pipeline: sluice run")
    if as_json:
        typer.echo(json.dumps(entry.model_dump(mode="json"), indent=2))
    else:
        typer.echo(
            f"version {entry.number} of {entry.use_case}, trained on span {entry.span or '(none)'}: {entry.destination}"
        )


@app.command()
def verify(config: Config = Path("sluice.yaml"), ledger: Uri = "") -> None:
    """Check that no entry and no evidence was changed, removed or reordered. Exit status 1 where one was.

    Example: sluice ledger verify --config examples/flights
    """
    book = _open(config, ledger)
    problems = book.verify()
    if problems:
        raise SluiceError("the ledger does not verify:\n  " + "\n  ".join(problems), where=book.store.uri,
                          remedy="restore it from a backup; until then trust no entry from the first named on")  # fmt: skip
    typer.echo(f"{len(book.numbers())} entries, each following from the one before; all evidence is as it was written")
