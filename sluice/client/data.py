"""The data of a command: an examples folder as it is, or anything that a source can be, read as the pipeline reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sluice import storage
from sluice.errors import SluiceError
from sluice.examples.formats import suffix
from sluice.examples.ingest import ingest
from sluice.examples.manifest import MANIFEST_FILE
from sluice.examples.source import Source
from sluice.examples.split import TRAIN, Split
from sluice.stages.runtime import parse
from sluice.statistics.artifact import SCHEMA_FILE, is_statistics


def examples(data: str, policy: Path | None, schema: Path | None, out: Path) -> Path:
    """The folder of an examples artifact that holds the data as one split, ``train``; or statistics as they are.

    Args:
        data: an examples folder; statistics of another framework; or a path, folder, glob or URI of files of any format.
        policy: a ``sluice.yaml``, whose source says how the files are written; or a data policy, which does not.
        schema: a ``schema.pbtxt`` or its folder, whose types go before those inferred from text.
        out: where examples are written.

    Raises:
        SluiceError: as `sluice.examples.ingest.ingest`.
    """
    if storage.is_local(data) and ((Path(data) / MANIFEST_FILE).is_file() or is_statistics(Path(data))):
        return Path(data).absolute()
    uri = str(Path(data).absolute()) if storage.is_local(data) else data
    source = _source(policy, uri)
    ingest(source, Split(ratios={TRAIN: 1.0}), "", out, schema=_text(schema) if schema else "")
    return out.absolute()


def _source(policy: Path | None, uri: str) -> Source:
    """The use case's source with these files in the place of its own."""
    content: Any = None
    if policy is not None:
        try:
            content = yaml.safe_load(policy.read_text())
        except (OSError, yaml.YAMLError, UnicodeError) as error:
            raise SluiceError(
                f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(policy)
            ) from None
    if not isinstance(content, dict) or "source" not in content:
        return parse(Source, {"uri": uri}, "data")
    own = parse(Source, content["source"], f"{policy}: source")
    given = own.model_dump(
        exclude_unset=True, exclude={"uri", "query", "spans", "version", "timestamp", "window", "exclude"}
    )
    if suffix(uri) and suffix(uri) != suffix(own.uri):
        given.pop("format", None)
    return parse(Source, {**given, "uri": uri}, "data")


def _text(schema: Path) -> str:
    file = schema / SCHEMA_FILE if schema.is_dir() else schema
    try:
        return file.read_text()
    except OSError:
        raise SluiceError(
            "no schema here", where=str(file), remedy="give a schema.pbtxt, or none to infer one"
        ) from None
