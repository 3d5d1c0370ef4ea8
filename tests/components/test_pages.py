"""Every component's page begins with an example in a pipeline that is not ours: it is copied, compiled and run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import compiler, dsl

from sluice.client import catalog
from sluice.client.lint.command import lint
from sluice.client.local import Run, Step
from sluice.config.load import arguments, load
from sluice.promotion.ledger import Ledger

ROOT = Path(__file__).parents[2]
PAGES = {path.parent.name: path for path in sorted((ROOT / "components").glob("*/README.md"))}


class Silent:
    def started(self, step: Step) -> None: ...
    def said(self, step: Step, message: str) -> None: ...
    def ended(self, step: Step) -> None: ...


def example(name: str) -> Callable[..., Any]:
    """The pipeline that a page's first block of Python defines."""
    code = re.search(r"^```python\n(.*?)^```", PAGES[name].read_text(), re.M | re.S)
    assert code, f"{PAGES[name]} has no example"
    scope: dict[str, Any] = {"__name__": name}
    exec(compile(code[1], str(PAGES[name]), "exec", dont_inherit=True), scope)  # noqa: S102 - our own page
    (found,) = (value for value in scope.values() if isinstance(value, dsl.graph_component.GraphComponent))
    return found


EXAMPLES = {name: example(name) for name in PAGES}


def test_every_component_has_a_page() -> None:
    assert PAGES.keys() == {path.parent.name for path in (ROOT / "components").glob("*/component.py")}


@pytest.mark.parametrize("name", PAGES)
def test_an_example_compiles_uses_the_component_and_has_no_faults(name: str, tmp_path: Path) -> None:
    file = tmp_path / "foreign.yaml"
    compiler.Compiler().compile(EXAMPLES[name], str(file))
    assert f"exec-{name}" in file.read_text()
    assert {finding.rule.id for finding in lint(file)} <= {"missing-limits"}


@dsl.pipeline(name="foreign")
def foreign(
    source: dict, features: dict, data_policy: dict, model_policy: dict, service_policy: dict,
    examples: str, statistics: str, schema: str, transformed: str, preprocessing: str, model: str, golden: str,
    ledger: str, fresh: str, destinations: list,
):  # fmt: skip
    """All the examples, each a pipeline inside this one."""
    EXAMPLES["resolve"](source=source, ledger=ledger)
    EXAMPLES["ingest"](source=source, span="1")
    EXAMPLES["validate"](source=source, ledger=ledger)
    EXAMPLES["transform"](examples=examples, statistics=statistics, schema=schema)
    EXAMPLES["train"](
        transformed=transformed, preprocessing=preprocessing, examples=examples, source=source, ledger=ledger
    )
    EXAMPLES["evaluate"](model=model, examples=examples, source=source, ledger=ledger)
    EXAMPLES["probe"](model=model, golden=golden)
    EXAMPLES["refuse"](source=source, features=features, policy={"min_rows": 10**9}, ledger=ledger)
    EXAMPLES["push"](
        model=model, golden=golden, examples=examples, source=source, features=features, data_policy=data_policy,
        model_policy=model_policy, service_policy=service_policy, destinations=destinations, ledger=fresh,
    )  # fmt: skip


POLICIES = ("data_policy", "model_policy", "service_policy")
MADE = {"examples": "ingest", "statistics": "validate", "schema": "validate", "transformed": "transform", "preprocessing": "transform",
        "model": "train", "golden": "train"}  # fmt: skip
"""Artifact to the step that makes it."""


@pytest.mark.usefixtures("warm")
def test_all_examples_run(flights: Path, tmp_path: Path) -> None:
    """On what a run of the training pipeline has made."""
    ledger, fresh, published = (str(tmp_path / name) for name in ("ledger", "fresh", "published"))
    settings = {
        "ledger": ledger,
        "destination": published,
        "trainer.steps": 300,
        "source.uri": str(flights / "span-{SPAN}.parquet"),
    }
    given = arguments(load(ROOT / "examples" / "flights", settings), "1")
    first, second = (Run(tmp_path / name, Silent()) for name in ("first", "second"))
    first.pipeline(catalog.path("pipelines", "training"), given)
    outputs = {step.name: step.outputs for step in first.steps}
    compiler.Compiler().compile(foreign, str(tmp_path / "foreign.yaml"))
    second.pipeline(tmp_path / "foreign.yaml", {
        **{name: given[name] for name in ("source", "features", *POLICIES)},
        **{name: str(outputs[step][name]) for name, step in MADE.items()},
        "ledger": ledger, "fresh": fresh, "destinations": [str(tmp_path / "elsewhere")],
    })  # fmt: skip
    assert {step.name for step in second.steps} == PAGES.keys()
    assert all(step.succeeded for step in second.steps)
    assert (tmp_path / "elsewhere" / "1" / "saved_model.pb").exists()
    assert [entry.kind for entry in Ledger.at(ledger).entries()] == ["refused", "promoted"]
