"""The push component in a graph without gates: whatever is wired in the place of the verdicts, nothing is published."""

from pathlib import Path
from typing import Any

import pytest
from kfp import compiler, dsl

import sluice
from sluice.client.local import Run, Step
from sluice.promotion.ledger import Kind, Ledger
from tests.promotion import made

POLICIES = {"data_policy": {}, "model_policy": made.MODEL_POLICY, "service_policy": {}}


class Silent:
    def started(self, step: Step) -> None: ...
    def said(self, step: Step, message: str) -> None: ...
    def ended(self, step: Step) -> None: ...


def wired(**artifacts: str) -> Any:
    """A pipeline that pushes straight away."""
    push = sluice.component("push")

    @dsl.pipeline(name="reckless")
    def reckless(ledger: str, destinations: list) -> None:
        def imported(name: str, kind: Any = dsl.Artifact) -> Any:
            return dsl.importer(artifact_uri=artifacts[name], artifact_class=kind).output

        push(
            model=imported("model", dsl.Model), examples=imported("examples", dsl.Dataset), statistics=imported("statistics"),
            schema=imported("schema"), **{f"{gate}_verdict": imported("verdicts") for gate in ("data", "model", "service")},
            ledger=ledger, destinations=destinations, **POLICIES,
        )  # fmt: skip

    return reckless


@pytest.mark.parametrize("in_place", ["nothing", "the model", "one verdict for all"])
def test_a_pusher_wired_without_gates_refuses(tmp_path: Path, in_place: str) -> None:
    one = made.candidate(tmp_path / "candidate", "unjudged")
    examples = tmp_path / "examples"
    for folder in (examples, tmp_path / "empty"):
        folder.mkdir()
    made.EXAMPLES.save(examples)
    one.judge(None)
    instead = {"nothing": tmp_path / "empty", "the model": one.model, "one verdict for all": one.verdicts()["service"]}
    folders = {
        "model": one.model,
        "examples": examples,
        "statistics": one.folder / "statistics",
        "schema": one.folder / "schema",
    }
    given = {**folders, "verdicts": instead[in_place]}
    spec, ledger, published = tmp_path / "reckless.yaml", tmp_path / "ledger", tmp_path / "published"
    compiler.Compiler().compile(wired(**{name: str(path) for name, path in given.items()}), str(spec))
    run = Run(tmp_path / "run", Silent())
    run.pipeline(spec, {"ledger": str(ledger), "destinations": [str(published)]})
    assert run.steps[-1].values["decision"] == "refused"
    entry = Ledger.at(str(ledger)).entry(1)
    assert entry.kind is Kind.REFUSED
    assert any("data gate" in reason for reason in entry.reasons)
    assert any("model gate" in reason for reason in entry.reasons)
    assert list(published.glob("[0-9]*")) == []
