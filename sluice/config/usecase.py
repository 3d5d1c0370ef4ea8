"""``sluice.yaml``: one use case, declared once.

Each part is declared where its room is: sources and splits in `sluice.examples`, features in `sluice.features`, the
trainer in `sluice.training`, policies in `sluice.gates`. Defaults stand in those models and nowhere else.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from sluice.config.base import Strict
from sluice.config.platform import Platform, Resources
from sluice.examples.source import Source
from sluice.examples.split import Split
from sluice.features.spec import Features
from sluice.gates.data.policy import DataPolicy
from sluice.gates.model.policy import ModelPolicy
from sluice.gates.service.policy import ServicePolicy
from sluice.promotion.policy import PushPolicy
from sluice.training.spec import Label, Trainer

ONE_OR_MORE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _several(given: Any) -> Any:
    """One URI, or a list of them.

    Raises:
        ValueError: a text holds several; earlier releases took white space between them.
    """
    if isinstance(given, str) and re.search(r"\s\S+://", given):
        raise ValueError("several destinations are a list: [gs://a/published, gs://b/published]")
    return [given] if isinstance(given, str) else given


class Policies(Strict):
    """The law of the three gates, and of the pusher."""

    data: DataPolicy = DataPolicy()
    model: ModelPolicy
    service: ServicePolicy = ServicePolicy()
    push: PushPolicy = PushPolicy()


class UseCase(Strict):
    """A use case.

    Attributes:
        name: lower-case name; names runs, models and reports.
        source: where the data is.
        schema_file: path or URI of a schema.pbtxt under version control; empty: the champion's, or one inferred.
        label: what is to be predicted.
        features: what it is predicted from.
        split: how rows are divided.
        trainer: what is trained, and how.
        policies: the three gates' policies.
        destination: URI under which models are published; or several, as a list: a push is then all or nothing.
        ledger: URI of the ledger.
        resources: CPU, memory and accelerators per stage.
        platform: where and how it runs on a cluster.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    source: Source
    label: Label
    schema_file: str = ""
    features: Features = Features()
    split: Split = Split()
    trainer: Trainer = Trainer()
    policies: Policies
    destination: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(min_length=1),
        BeforeValidator(_several),
        WithJsonSchema(ONE_OR_MORE),
    ]
    ledger: str
    resources: dict[str, Resources] = Field(default_factory=dict)
    platform: Platform = Platform()
