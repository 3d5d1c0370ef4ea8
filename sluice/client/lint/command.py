"""`sluice lint`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from sluice.client.lint import gates, hygiene, targets  # noqa: F401 - they bring the rules
from sluice.client.lint.graph import Pipeline
from sluice.client.lint.rules import RULES, Level, Rule, Target
from sluice.errors import SluiceError

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
PAGE = "docs/lint.md"


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    SARIF = "sarif"


@dataclass(frozen=True)
class Finding:
    """A rule, and where a file breaks it."""

    rule: Rule
    file: Path
    line: int
    detail: str


def lint(file: Path, wanted: tuple[Target, ...] = ()) -> list[Finding]:
    """What is wrong with a compiled pipeline.

    Args:
        file: a pipeline or component compiled by KFP.
        wanted: targets to look at; empty: all that the file is for (one with settings of pods is not for Vertex AI).

    Raises:
        SluiceError: it is no compiled pipeline.
    """
    pipeline = _parsed(file)
    if not wanted and len(pipeline.documents) > 1:
        wanted = (Target.KUBEFLOW, Target.LOCAL)
    return sorted(
        (Finding(rule, file, pipeline.line(place), detail)
         for rule in RULES.values() if not wanted or not rule.targets or set(rule.targets) & set(wanted)
         for place, detail in rule.find(pipeline)),
        key=lambda found: (found.line, found.rule.id),
    )  # fmt: skip


def _parsed(file: Path) -> Pipeline:
    """A file that KFP's own protos take."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        pipeline = Pipeline(file)
        json_format.ParseDict(pipeline.spec, pipeline_spec_pb2.PipelineSpec())
        if "root" not in pipeline.spec or "deploymentSpec" not in pipeline.spec:
            raise json_format.ParseError("root or deploymentSpec is missing")
        pipeline.read()
    except FileNotFoundError:
        raise SluiceError("no such file", where=str(file)) from None
    except OSError as error:
        raise SluiceError(f"cannot be read: {error.strerror}", where=str(file)) from None
    except KeyError as error:
        raise SluiceError(f"not a compiled pipeline: it names {error}, which it does not have", where=str(file),
                          remedy="compile it again") from None  # fmt: skip
    except RecursionError:
        raise SluiceError("not a compiled pipeline: a component contains itself", where=str(file)) from None
    except (yaml.YAMLError, json_format.ParseError, UnicodeDecodeError) as error:
        raise SluiceError(f"not a compiled pipeline: {str(error).splitlines()[0]}", where=str(file),
                          remedy="compile it first: sluice compile, or kfp dsl compile") from None  # fmt: skip
    return pipeline


def command(
    files: Annotated[list[Path], typer.Argument(help="Compiled pipelines, ours or not.")],
    target: Annotated[
        list[Target] | None, typer.Option(help="Only what concerns this target; may be repeated.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="Text, or SARIF 2.1.0 for code scanning.")] = Format.TEXT,
) -> None:
    """Find what a target would refuse or get wrong, unpinned images, missing limits, secrets, and gates passed by.

    Exit status: 0 nothing was found, or warnings alone; 1 an error was found, or a file cannot be read.

    Example: sluice lint build/pipelines/training.yaml --target vertex
    """
    found = [finding for file in files for finding in lint(file, tuple(target or ()))]
    if output is Format.SARIF:
        typer.echo(json.dumps(_sarif(found), indent=2))
    else:
        for finding in found:
            typer.echo(f"{finding.file}:{finding.line}: {finding.rule.level}: {finding.rule.id}: {finding.detail}")
            typer.echo(f"  {finding.rule.what}\n  {finding.rule.remedy}")
        typer.echo(f"{len(files)} files, {len(found)} findings" if found else f"{len(files)} files, nothing found")
    if any(finding.rule.level is Level.ERROR for finding in found):
        raise typer.Exit(1)


def _sarif(found: list[Finding]) -> dict[str, Any]:
    """Findings as SARIF 2.1.0."""
    from sluice import __version__

    rules = [
        {"id": rule.id, "shortDescription": {"text": rule.what}, "help": {"text": f"{rule.remedy} ({PAGE})"},
         "defaultConfiguration": {"level": str(rule.level)}}
        for rule in RULES.values()
    ]  # fmt: skip
    results = [
        {"ruleId": item.rule.id, "level": str(item.rule.level), "message": {"text": f"{item.detail}: {item.rule.what}. {item.rule.remedy}"},
         "locations": [{"physicalLocation": {"artifactLocation": {"uri": item.file.as_posix()}, "region": {"startLine": item.line}}}]}
        for item in found
    ]  # fmt: skip
    driver = {"name": "sluice lint", "version": __version__, "rules": rules}
    return {"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
