"""`sluice validate` and `sluice schema`: the data gate on files, and the schema it holds them against."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.errors import SluiceError

MODULE = "sluice.statistics.command"
app = typer.Typer(no_args_is_help=True, help="Infer a schema, look at it, and let it change only where you say so.")

SchemaFile = Annotated[Path, typer.Argument(help="A schema.pbtxt.")]
Write = Annotated[bool, typer.Option("--write", help="Change the file; without it, the new schema is printed.")]


def validate(
    data: Annotated[
        str, typer.Argument(help="A file of any format that ingest reads, a folder, a glob, a URI, or examples.")
    ],
    schema: Annotated[
        Path | None, typer.Option(help="The schema.pbtxt to hold it against; none: the other data's, or one inferred.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Data whose distributions it should have.")] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="A data policy, or a sluice.yaml that holds one and says how files are read; none: the defaults."
        ),
    ] = None,
    label: Annotated[str, typer.Option(help="The label's column; none: the use case's, or data without a label.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for verdict, report, statistics and schema.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Judge data by a policy. Exit status: 0 BLESSED, 3 NOT_BLESSED, 4 INCONCLUSIVE.

    Example: sluice validate april.parquet --against march.parquet --policy examples/flights/sluice.yaml
    """
    from sluice.client import engine
    from sluice.client.data import examples

    folder = (out or Path(tempfile.mkdtemp(prefix="sluice-validate-"))).absolute()
    judged = examples(data, policy, schema, folder / "data")
    before = examples(against, policy, schema, folder / "against" / "data") if against else None
    options = {"data": judged, "schema": schema, "against": before, "policy": policy, "out": folder}
    given = [f"--{name}={value.absolute()}" for name, value in options.items() if value is not None]
    engine.run(MODULE, "validate", "validate", *given, f"--label={label}")
    engine.conclude(folder, as_json=as_json)


@app.command()
def infer(
    data: Annotated[str, typer.Argument(help="The data to infer it from: files as ingest reads them, or examples.")],
    schema: SchemaFile,
    policy: Annotated[
        Path | None, typer.Option(help="A sluice.yaml: how files are read, and what is a category.")
    ] = None,
    label: Annotated[str, typer.Option(help="The label's column; it may be absent when serving.")] = "",
) -> None:
    """Infer a first schema and write it, where there is none yet.

    Example: sluice schema infer march.parquet schema.pbtxt --policy examples/flights/sluice.yaml
    """
    if schema.exists():
        raise SluiceError(
            "there is a schema already",
            where=str(schema),
            remedy="infer into another file, then `sluice schema diff` and `accept`",
        )
    from sluice.client.data import examples

    schema.parent.mkdir(parents=True, exist_ok=True)
    given = [f"--policy={policy.absolute()}"] if policy else []
    with tempfile.TemporaryDirectory() as scratch:
        folder = examples(data, policy, None, Path(scratch) / "data")
        _run("infer", f"--data={folder}", f"--schema={schema.absolute()}", f"--label={label}", *given)
    typer.echo(f"{schema}: look at it with `sluice schema show {schema}`, then put it under version control")


@app.command()
def show(schema: SchemaFile) -> None:
    """Show a schema, a line a feature.

    Example: sluice schema show schema.pbtxt
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("feature", "type", "present", "values", "known", "absent when", box=None, header_style="dim")
    for row in json.loads(_run("show", f"--schema={schema.absolute()}")):
        values = ", ".join(row["values"][:8]) + (
            f" and {len(row['values']) - 8} more" if len(row["values"]) > 8 else ""
        )
        known = "" if row["known"] is None else f"{row['known']:.0%}"
        table.add_row(
            row["feature"], row["type"], f"{row['present']:.0%}", values, known, ", ".join(row["absent when"])
        )
    Console(highlight=False).print(table)


@app.command()
def diff(schema: SchemaFile, other: Annotated[Path, typer.Argument(help="The schema to compare with.")]) -> None:
    """Say what another schema would change. Exit status 3 where it changes anything.

    Example: sluice schema diff schema.pbtxt new/schema.pbtxt
    """
    changes: list[dict[str, Any]] = json.loads(
        _run("diff", f"--schema={schema.absolute()}", f"--other={other.absolute()}")
    )
    for change in changes:
        if change["change"] == "values":
            told = f"values {', '.join([f'+{v}' for v in change['added']] + [f'-{v}' for v in change['removed']])}"
        elif "was" in change:
            told = f"{change['change']}: {change['was']} → {change['now']}"
        else:
            told = change["change"]
        typer.echo(f"{change['feature']}: {told}")
    if not changes:
        typer.echo("no difference")
    raise typer.Exit(3 if changes else 0)


@app.command()
def accept(
    schema: SchemaFile,
    other: Annotated[Path, typer.Argument(help="The schema to take over.")],
    feature: Annotated[str, typer.Option(help="Only this feature; none: the whole schema.")] = "",
    write: Write = False,
) -> None:
    """Take over what another schema says. A given schema never widens by itself: this is the way.

    Example: sluice schema accept schema.pbtxt new/schema.pbtxt --feature carrier --write
    """
    _put(
        schema,
        _run("accept", f"--schema={schema.absolute()}", f"--other={other.absolute()}", f"--feature={feature}"),
        write=write,
    )


@app.command()
def relax(
    schema: SchemaFile,
    feature: Annotated[str, typer.Option(help="The feature.")],
    domain_mass: Annotated[float | None, typer.Option(help="Share of the values that must be known ones.")] = None,
    present: Annotated[float | None, typer.Option(help="Share of the rows that must have it.")] = None,
    write: Write = False,
) -> None:
    """Loosen one feature of a schema.

    Example: sluice schema relax schema.pbtxt --feature carrier --domain-mass 0.95 --write
    """
    shares = [
        f"--{name}={value}" for name, value in (("domain-mass", domain_mass), ("present", present)) if value is not None
    ]
    if not shares:
        raise SluiceError("nothing to relax", where="sluice schema relax", remedy="give --domain-mass or --present")
    _put(schema, _run("relax", f"--schema={schema.absolute()}", f"--feature={feature}", *shares), write=write)


def _run(job: str, *arguments: str) -> str:
    from sluice.client import engine

    return engine.run(MODULE, "schema", "schema", job, *arguments)


def _put(schema: Path, text: str, *, write: bool) -> None:
    """Write a whole schema in the place of the old one, or print it."""
    if not write:
        typer.echo(text)
        return
    partial = schema.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(schema)
    typer.echo(f"{schema}: changed; `git diff` shows it")
