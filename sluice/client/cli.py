"""The `sluice` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sluice import storage
from sluice.client import compile as compile_command
from sluice.client import decisions, evaluate, ledger, publish
from sluice.client import run as run_command
from sluice.client import validate as validate_command
from sluice.client.lint import command as lint
from sluice.client.submission import command as submission
from sluice.errors import SluiceError
from sluice.version import __version__

app = typer.Typer(
    name="sluice",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Carry tabular data to a served model, and let nothing through that has not earned it.\n\n"
    "Start with [b]sluice run --config examples/flights[/b]: it trains on this machine, judges data, model and "
    "service, and publishes what three gates blessed. Then look at [b]sluice ledger log[/b].",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the command itself."""


app.command("run")(run_command.run)
app.command("submit")(submission.submit)
app.command("schedule")(submission.schedule)
app.command("status")(submission.status)
app.command("logs")(submission.logs)
app.command("cancel")(submission.cancel)
app.command("compile")(compile_command.command)
app.command("lint")(lint.command)
app.command("publish")(publish.publish)
app.command("validate")(validate_command.validate)
app.add_typer(validate_command.app, name="schema")
app.command("evaluate")(evaluate.evaluate)
app.command("waive")(evaluate.waive)
app.add_typer(ledger.app, name="ledger")
app.command("rollback")(decisions.rollback)
app.command("adopt")(decisions.adopt)
app.command("route")(decisions.route)


def main() -> None:
    """Run the command; a user's mistake ends it with one message and its exit status."""
    try:
        app()
    except Exception as error:
        told = error if isinstance(error, SluiceError) else storage.told(error)
        if told is None:
            raise
        print(f"sluice: {told}", file=sys.stderr)  # noqa: T201
        sys.exit(told.exit_status)


if __name__ == "__main__":
    main()
