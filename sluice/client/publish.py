"""`sluice publish`: a compiled pipeline to an Artifact Registry repository of Kubeflow Pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluice.errors import SluiceError


def publish(
    file: Annotated[Path, typer.Argument(help="The compiled pipeline, of one document.")],
    repository: Annotated[str, typer.Option(help="[b]https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY[/b].")],
    tag: Annotated[list[str] | None, typer.Option(help="Tag of this version; may be repeated.")] = None,
) -> None:
    """Upload a compiled pipeline, so that runs and schedules can name it by repository and tag.

    Example: sluice publish build/pipelines/training.yaml --repository https://europe-west4-kfp.pkg.dev/my-project/pipelines
    """
    from kfp.registry import RegistryClient
    from requests.exceptions import RequestException

    from sluice.client.submission.vertex import said

    if not file.is_file():
        raise SluiceError("no such file", where=str(file), remedy="compile it first: sluice compile")
    try:
        with said():
            package, version = RegistryClient(host=repository).upload_pipeline(str(file), tags=tag or None)
    except RequestException as error:
        raise SluiceError(f"the repository refuses it: {error}", where=repository,
                          remedy="check the URL and that the account has roles/artifactregistry.writer there") from None  # fmt: skip
    typer.echo(f"published: {repository.rstrip('/')}/{package}/{version}")
