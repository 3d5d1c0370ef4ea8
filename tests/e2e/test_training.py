"""The training pipeline, compiled, on real flights, with the real libraries: what is promoted and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sluice.client import catalog
from sluice.client.local import Run, Step
from sluice.config.load import arguments, load
from sluice.errors import SluiceError
from sluice.examples.manifest import Manifest
from sluice.gates.verdict import Verdict
from sluice.promotion.ledger import Kind, Ledger
from sluice.promotion.push import push
from sluice.run import RunReference

pytestmark = pytest.mark.usefixtures("warm")  # but for the first run, which the module's fixture makes

ROOT = Path(__file__).parents[2]
BLIND = {"drift": "off", "label_shift": "off", "association": "off"}
"""A data gate that does not compare with the champion's data, so that what follows it is tested."""
WHOLE = ["resolve", "ingest", "validate", "transform", "train", "evaluate", "probe", "push"]


class Silent:
    def started(self, step: Step) -> None: ...
    def said(self, step: Step, message: str) -> None: ...
    def ended(self, step: Step) -> None: ...


@dataclass
class Line:
    """A use case on folders of its own."""

    folder: Path
    runs: list[Run] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        return Ledger.at(str(self.folder / "ledger"))

    @property
    def published(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "published").glob("[0-9]*"))

    def run(self, span: str, **overrides: Any) -> dict[str, Step]:
        use_case = load(
            ROOT / "examples" / "flights",
            {
                "destination": str(self.folder / "published"),
                "ledger": str(self.folder / "ledger"),
                "trainer.steps": 600,
                **overrides,
            },
        )
        run = Run(self.folder / f"run-{len(self.runs)}", Silent())
        self.runs.append(run)
        run.pipeline(catalog.path("pipelines", "training"), arguments(use_case, span))
        return {step.name: step for step in run.steps}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, flights: Path) -> Line:
    """A line whose ledger holds a champion, trained on January."""
    line = Line(tmp_path_factory.mktemp("line"))
    line.run("1")
    return line


def changed(flights: Path, folder: Path, select: str) -> str:
    """The January flights, changed by SQL; returns the URI."""
    folder.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY ({select.format(january=flights / 'span-01.parquet')}) TO '{folder / 'changed.parquet'}'")
    return str(folder / "changed.parquet")


def test_the_first_model_is_promoted(line: Line) -> None:
    steps = {step.name: step for step in line.runs[0].steps}
    assert list(steps) == WHOLE
    assert steps["push"].values == {"decision": "promoted", "number": 1.0, "version": 1.0}
    entry = line.ledger.champion()
    assert entry is not None
    assert (entry.number, entry.kind, entry.span) == (1, Kind.PROMOTED, "1")
    assert (line.folder / "published" / "1" / "saved_model.pb").exists()
    assert line.ledger.verify() == []


def test_a_verdict_says_the_same_in_file_metadata_and_parameter(line: Line) -> None:
    for step in line.runs[0].steps:
        if "verdict" not in step.outputs:
            continue
        folder = step.outputs["verdict"]
        verdict = Verdict.load(folder)
        executor = json.loads((folder.parent / "executor_output.json").read_text())
        metadata = executor["artifacts"]["verdict"]["artifacts"][0]["metadata"]
        assert metadata["status"] == verdict.status == step.values["status"]
        assert metadata["digest"] == verdict.digest
        assert step.values["gate"] == "open"


def test_the_first_model_passes_as_bootstrap_and_later_ones_are_compared(line: Line) -> None:
    first = Verdict.load(line.runs[0].steps[5].outputs["verdict"])
    assert first.bootstrap
    assert first.baseline is None
    steps = line.run("2")
    champion = line.ledger.champion()
    later = Verdict.load(steps["evaluate"].outputs["verdict"])
    assert not later.bootstrap
    assert later.baseline == 1
    assert first.evidence == {}
    assert later.evidence["comparison"]["champion_trained_on"] == 0, "known, by the row hashes that the ledger keeps"
    assert {"non_inferior_by"} <= {reason.rule for reason in later.reasons}
    assert Verdict.load(steps["validate"].outputs["verdict"]).baseline == 1
    assert champion is not None


def test_data_without_a_feature_is_refused_and_nothing_after_it_runs(line: Line, flights: Path, tmp_path: Path) -> None:
    before, published = line.ledger.champion(), line.published
    source = changed(flights, tmp_path, "SELECT * EXCLUDE (distance) FROM '{january}'")
    steps = line.run("", **{"source.uri": source})
    assert list(steps) == ["resolve", "ingest", "validate", "refuse"]
    verdict = Verdict.load(steps["validate"].outputs["verdict"])
    assert verdict.status == "NOT_BLESSED"
    assert any(r.closes and r.subject.startswith("distance") for r in verdict.reasons)
    entry = line.ledger.last()
    assert entry is not None
    assert entry.kind is Kind.REFUSED
    assert any("distance" in reason for reason in entry.reasons)
    assert (line.ledger.champion(), line.published) == (before, published)


def test_a_model_of_shuffled_labels_is_refused_and_not_published(line: Line, flights: Path, tmp_path: Path) -> None:
    published = line.published
    source = changed(
        flights,
        tmp_path,
        "SELECT * EXCLUDE (late), (hash(scheduled_departure, flight, 7) % 1000 < 235)::BIGINT AS late FROM '{january}'",
    )
    steps = line.run("", **{"source.uri": source, "policies.data": BLIND})
    assert list(steps) == [*WHOLE[:6], "refuse"]
    verdict = Verdict.load(steps["evaluate"].outputs["verdict"])
    assert verdict.status == "NOT_BLESSED"
    assert "floor" in {reason.rule for reason in verdict.reasons if reason.closes}
    entry = line.ledger.last()
    assert entry is not None
    assert (entry.kind, entry.model) == (Kind.REFUSED, verdict.subjects["model"])
    assert line.published == published


def test_report_mode_goes_on_and_the_pusher_still_refuses(line: Line, flights: Path) -> None:
    published = line.published
    policy = {"mode": "report", "rules": [{"metric": "auc", "at_least": 0.99}]}
    steps = line.run("1", **{"policies.model": policy, "trainer.steps": 100})
    assert list(steps) == WHOLE
    assert steps["evaluate"].values == {"status": "NOT_BLESSED", "gate": "open"}
    assert steps["push"].values["decision"] == "refused"
    assert line.published == published


def test_fail_mode_fails_the_step_with_the_reasons(line: Line) -> None:
    with pytest.raises(
        SluiceError, match=r"step validate: the data gate says INCONCLUSIVE\n  eval has [\d,]+ rows, fewer"
    ):
        line.run("1", **{"policies.data": {"mode": "fail", "min_rows": 20_000, **BLIND}})


@pytest.fixture
def judged(line: Line, tmp_path: Path) -> dict[str, Any]:
    """What `push` was given in the first run, on a ledger of its own."""
    steps = {step.name: step.outputs for step in line.runs[0].steps}
    model = tmp_path / "model"
    shutil.copytree(steps["train"]["model"], model)
    use_case = load(ROOT / "examples" / "flights")
    return {
        "model": model,
        "statistics": steps["validate"]["statistics"],
        "schema": steps["validate"]["schema"],
        "verdicts": {
            "data": steps["validate"]["verdict"],
            "model": steps["evaluate"]["verdict"],
            "service": steps["probe"]["verdict"],
        },
        "policies": dict(use_case.policies.model_dump(mode="json", exclude_none=True).items()),
        "examples": Manifest.load(steps["ingest"]["examples"]),
        "destinations": (str(tmp_path / "published"),),
        "ledger": str(tmp_path / "ledger"),
        "run": {"use_case": "flights", "span": "1", "run": RunReference(name="test")},
    }


def test_what_was_judged_is_pushed(judged: dict[str, Any]) -> None:
    assert push(**judged).kind is Kind.PROMOTED


def test_one_byte_changed_after_the_verdict_is_refused(judged: dict[str, Any]) -> None:
    file = judged["model"] / "saved_model.pb"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    entry = push(**judged)
    assert entry.kind is Kind.REFUSED
    assert any("judged other model" in reason for reason in entry.reasons)
    assert not list(Path(judged["destinations"][0]).glob("[0-9]*"))


def test_a_pusher_without_a_gate_is_refused(judged: dict[str, Any]) -> None:
    del judged["verdicts"]["service"]
    entry = push(**judged)
    assert entry.kind is Kind.REFUSED
    assert entry.reasons == ("there is no verdict of the service gate",)


def test_a_verdict_of_another_gate_is_refused(judged: dict[str, Any]) -> None:
    judged["verdicts"]["service"] = judged["verdicts"]["data"]
    entry = push(**judged)
    assert entry.kind is Kind.REFUSED
    assert "the verdict given for the service gate is one of the data gate" in entry.reasons


def test_a_policy_weakened_for_the_run_is_refused(judged: dict[str, Any]) -> None:
    judged["policies"]["model"] = {"rules": [{"metric": "auc", "at_least": 0.55}]}
    entry = push(**judged)
    assert entry.kind is Kind.REFUSED
    assert "the model gate judged by another policy than the use case has" in entry.reasons


def test_the_champion_itself_is_not_pushed_twice(judged: dict[str, Any]) -> None:
    assert push(**judged).kind is Kind.PROMOTED
    again = push(**judged)
    assert again.kind is Kind.REFUSED
    assert any("nothing to push" in reason for reason in again.reasons)


def test_a_given_schema_goes_before_the_champion_s(line: Line, tmp_path: Path) -> None:
    statistics_schema = line.runs[0].steps[2].outputs["schema"] / "schema.pbtxt"
    given = tmp_path / "schema.pbtxt"
    given.write_text(statistics_schema.read_text().replace('value: "JFK"', 'value: "XXX"'))
    steps = line.run("1", schema_file=str(given))
    assert list(steps) == ["resolve", "ingest", "validate", "refuse"]
    verdict = Verdict.load(steps["validate"].outputs["verdict"])
    assert any(r.closes and r.subject.startswith("origin") for r in verdict.reasons)
    assert (steps["validate"].outputs["schema"] / "schema.pbtxt").read_text().count("JFK") == 0
