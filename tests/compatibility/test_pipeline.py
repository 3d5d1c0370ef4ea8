"""The training pipeline of this release on the ledger, models and use case of earlier ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sluice.client import catalog
from sluice.client.local import Run, Step
from sluice.config.load import arguments, load
from sluice.gates.verdict import Verdict
from sluice.promotion.ledger import Kind, Ledger

RELEASES = sorted(path.name for path in Path(__file__).parent.iterdir() if (path / "expected.json").exists())


class Silent:
    def started(self, step: Step) -> None: ...

    def said(self, step: Step, message: str) -> None: ...

    def ended(self, step: Step) -> None: ...


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("release", RELEASES)
def test_a_challenger_is_judged_against_the_frozen_champion(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path(__file__).parent / release, tmp_path / release)
    monkeypatch.chdir(tmp_path / release)
    expected = json.loads(Path("expected.json").read_text())
    given = arguments(load(Path("sluice.yaml")), "2") | {"destinations": ["published"], "ledger": "ledger"}
    run = Run(tmp_path / "run", Silent())
    run.pipeline(catalog.path("pipelines", "training"), given)
    steps = {step.name: step for step in run.steps}
    version = max(expected["versions"]) + 1
    assert steps["resolve"].values["version"] == expected["champion"]
    assert steps["push"].values == {"decision": "promoted", "number": len(expected["kinds"]) + 1, "version": version}
    entry = Ledger.at("ledger").last()
    assert entry is not None
    assert (entry.kind, entry.version, entry.run.id) == (Kind.PROMOTED, version, run.id)
    for name in ("validate", "evaluate", "probe"):
        verdict = Verdict.load(steps[name].outputs["verdict"])
        assert verdict.run.id == run.id
        assert verdict.baseline in (expected["champion"], None)
    if release == "f727216":
        (unseen,) = (r for r in Verdict.load(steps["evaluate"].outputs["verdict"]).reasons if r.rule == "unseen")
        assert "is unknown: it was promoted by a release that kept no hashes of its training rows" in unseen.sentence
    assert Ledger.at("ledger").verify() == []
    assert (Path("published") / str(version) / "saved_model.pb").exists()
