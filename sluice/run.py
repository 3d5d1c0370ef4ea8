"""Which pipeline run something belongs to: its ID on the service that runs it, and the address of its page."""

from __future__ import annotations

import os
import re

from pydantic import BaseModel, ConfigDict

RUN_ID = "SLUICE_RUN_ID"
"""Environment variable: the run's ID; a runner sets it whose artifact URIs do not hold it (on one machine)."""
KUBEFLOW = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
"""Kubeflow Pipelines stores an artifact below ``<root>/<pipeline>/<run's UUID>/<task>/``."""
VERTEX = re.compile(r"/\d+/([^/]+)/[^/]+_-?\d+/[^/]+$")
"""Vertex AI stores an artifact as ``<root>/<project number>/<job ID>/<task>_<task ID>/<name>``."""


class RunReference(BaseModel):
    """A pipeline run on the service that ran it.

    Attributes:
        name: its display name, which two runs can share; empty where a step does not know it.
        id: its own ID there: Kubeflow's UUID, Vertex AI's job ID, on one machine a UUID.
        url: address of its page; empty where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = ""
    id: str = ""
    url: str = ""


def reference(name: str, run: str, page: str) -> RunReference:
    """A run by display name and ID.

    Args:
        name: its display name; on Vertex AI that is its job ID.
        run: its ID.
        page: how addresses of pages are made, with ``{id}`` and ``{name}`` where ID and name go; empty for none.
    """
    url = page.replace("{id}", run).replace("{name}", name or run) if run or name else ""
    return RunReference(name=name, id=run, url=url)


def run_of(uri: str) -> str:
    """ID of the run that made an artifact, from where its service stores it; empty where that does not tell."""
    if known := os.environ.get(RUN_ID):
        return known
    found = KUBEFLOW.search(uri) or VERTEX.search(uri)
    return found[1] if found else ""
