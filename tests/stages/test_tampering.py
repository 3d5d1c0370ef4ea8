"""What lies between two steps is changed, swapped, added to or removed: the next step that reads it refuses it.

On a folder and on S3; by the metadata that the service keeps, and, where an artifact lists its files, without it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sluice import digest
from sluice.examples.dataset import Examples
from sluice.gates.service.policy import ServicePolicy
from sluice.gates.verdict import Outcome, Reason, verdict
from sluice.promotion.ledger import Kind, Ledger
from sluice.promotion.resolve import NONE_FILE
from sluice.stages import evaluate, probe, push, refuse, train, transform, validate
from sluice.stages.runtime import RunRecord, close
from sluice.storage import Store
from tests import made
from tests.stages.test_bad_input import Port

pytestmark = pytest.mark.tf

LABEL = {"column": "label"}
FEATURES = {"numeric": ["x"], "categorical": ["c"]}
POLICIES = {"data": {"min_rows": 10}, "model": {"floor": "off", "rules": [{"metric": "auc", "at_least": 0.6}]}, "service": {}, "push": {}}  # fmt: skip
RECORD = RunRecord(name="made", span="1", run="run", run_id="", run_page="", facts={})
TRAINER = {"name": "linear", "steps": 30, "batch_size": 64, "learning_rate": 0.1}


class Page(Port):
    """A metrics artifact."""

    def log_roc_curve(self, *curve: Any) -> None: ...
    def log_confusion_matrix(self, *matrix: Any) -> None: ...


@dataclass(frozen=True)
class Artifact:
    """One input of a step.

    Attributes:
        step: the step that reads it.
        name: its name there.
        made: which artifact of the line it is.
        part: a file in it.
        other: a second file, that it is swapped with; empty: there is none, and it gets other content.
        listed: whether the step sees a changed file without metadata.
    """

    step: str
    name: str
    made: str
    part: str
    other: str = ""
    listed: bool = False

    def __str__(self) -> str:
        return f"{self.step}-{self.name}"


TRAIN_PART, EVAL_PART = "train/part-00000.parquet", "eval/part-00000.parquet"
STATS = ("train/FeatureStats.pb", "eval/FeatureStats.pb")
VARIABLES = ("variables/variables.data-00000-of-00001", "variables/variables.index")
INPUTS = [
    Artifact("validate", "examples", "examples", TRAIN_PART, EVAL_PART, listed=True),
    Artifact("validate", "champion_statistics", "statistics", *STATS, listed=True),
    Artifact("validate", "champion_schema", "schema", "schema.pbtxt"),
    Artifact("transform", "examples", "examples", TRAIN_PART, EVAL_PART, listed=True),
    Artifact("transform", "statistics", "statistics", *STATS, listed=True),
    Artifact("transform", "schema", "schema", "schema.pbtxt", listed=True),
    Artifact("train", "examples", "examples", EVAL_PART, TRAIN_PART, listed=True),
    Artifact("train", "transformed", "transformed", "train/numbers.npy", "train/ids.npy", listed=True),
    Artifact("train", "preprocessing", "preprocessing", "saved_model.pb", "fingerprint.pb", listed=True),
    Artifact("train", "champion_model", "model", *VARIABLES),
    Artifact("evaluate", "examples", "examples", EVAL_PART, TRAIN_PART, listed=True),
    Artifact("evaluate", "model", "model", *VARIABLES),
    Artifact("evaluate", "champion_model", "model", *VARIABLES),
    Artifact("probe", "model", "model", *VARIABLES),
    Artifact("probe", "golden", "golden", "golden.parquet"),
    Artifact("push", "model", "model", *VARIABLES),
    Artifact("push", "examples", "examples", "examples.json", TRAIN_PART),
    Artifact("push", "statistics", "statistics", *STATS),
    Artifact("push", "schema", "schema", "schema.pbtxt"),
    *(Artifact("push", f"{gate}_verdict", f"{gate}_verdict", "verdict.json") for gate in ("data", "model", "service")),
    Artifact("refuse", "verdict", "data_verdict", "verdict.json"),
]
Given = Callable[[str], Any]
VERDICTS = ("data_verdict", "model_verdict", "service_verdict", "verdict")


class Line:
    """A training line in a folder: its artifacts by name, and its steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, Port] = {}

    def port(self, name: str) -> Port:
        return self.ports.setdefault(name, Page(self.folder / name))

    def step(self, name: str, out: Path | None = None, **instead: Port) -> Any:
        """Run a step on the line's artifacts, but for those that are given; writes into the line, or into a folder."""

        def given(name: str) -> Port:
            return instead.get(name) or self.port("none" if name.startswith("champion") else name)

        def new(name: str) -> Any:
            return Page(out / name) if out else self.port(name)

        return getattr(self, f"_{name}")(given, new, str(out or self.folder))

    def _validate(self, given: Given, new: Given, _: str) -> Any:
        return validate.run(
            examples=given("examples"), champion_statistics=given("champion_statistics"), champion_schema=given("champion_schema"),
            champion_version=0, label=LABEL, features=FEATURES, policy=POLICIES["data"], statistics=new("statistics"),
            schema=new("schema"), verdict=new("data_verdict"), report=new("data_report"),
        )  # fmt: skip

    def _transform(self, given: Given, new: Given, _: str) -> Any:
        return transform.run(
            examples=given("examples"), statistics=given("statistics"), schema=given("schema"), features=FEATURES, label=LABEL,
            preprocessing=new("preprocessing"), transformed=new("transformed"),
        )  # fmt: skip

    def _train(self, given: Given, new: Given, _: str) -> Any:
        return train.run(
            transformed=given("transformed"), preprocessing=given("preprocessing"), examples=given("examples"),
            champion_model=given("champion_model"), trainer=TRAINER, label=LABEL, model=new("model"), golden=new("golden"),
            report=new("train_report"), metrics=new("train_metrics"),
        )  # fmt: skip

    def _evaluate(self, given: Given, new: Given, _: str) -> Any:
        return evaluate.run(
            examples=given("examples"), model=given("model"), champion_model=given("champion_model"), champion_version=0,
            policy=POLICIES["model"], evaluation=new("evaluation"), verdict=new("model_verdict"), report=new("model_report"),
            metrics=new("metrics"), classification=new("classification"),
        )  # fmt: skip

    def _probe(self, given: Given, new: Given, _: str) -> Any:
        return probe.run(model=given("model"), golden=given("golden"), policy={}, verdict=new("verdict"))

    def _refuse(self, given: Given, _: Given, out: str) -> Any:
        return refuse.run(verdict=given("verdict"), ledger=f"{out}/ledger", record=RECORD)

    def _push(self, given: Given, _: Given, out: str) -> Any:
        names = ("model", "statistics", "schema", "examples", *VERDICTS[:3])
        return push.run(**{name: given(name) for name in names}, policies=POLICIES, destinations=[f"{out}/published"],
                        ledger=f"{out}/ledger", record=RECORD)  # fmt: skip


def table(seed: int, rows: int = 1500) -> pa.Table:
    random = np.random.default_rng(seed)
    x, c = random.normal(size=rows), random.integers(0, 3, rows)
    return pa.table({"x": x, "c": np.array(["red", "green", "blue"])[c], "label": (x + c + 0.3 * random.normal(size=rows) > 1).astype(int)})  # fmt: skip


def examples(port: Port, seed: int) -> None:
    """What ingest leaves, with its metadata."""
    manifest = made.examples(Path(port.path), table(seed)).manifest
    port.metadata |= {"digest": manifest.digest, "format": float(manifest.format)}  # KFP knows one kind of number


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """A line whose three gates are open; the service gate's verdict is on the model, and not of a server."""
    line = Line(tmp_path_factory.mktemp("line"))
    (line.folder / "none").mkdir()
    (line.folder / "none" / NONE_FILE).write_text("{}")
    examples(line.port("examples"), 0)
    assert line.step("validate").gate == "open"
    line.step("transform")
    line.step("train")
    assert line.step("evaluate").gate == "open", line.port("model_verdict").metadata["reasons"]
    subjects = {name: line.port(name).metadata["digest"] for name in ("model", "golden")}
    reason = Reason(rule="made", subject="model", outcome=Outcome.PASSED, sentence="made for a test")
    close(verdict("service", [reason], subjects=subjects, policy=ServicePolicy()), line.port("service_verdict"))
    return line


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where the artifacts lie between two steps."""
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return str(tmp_path / "store")
    return str(request.getfixturevalue("s3"))


def tamper(store: Store, artifact: Artifact, kind: str) -> None:
    key, other = f"artifact/{artifact.part}", f"artifact/{artifact.other}"
    content = store.get(key)
    if kind == "changed":
        middle = len(content) // 2
        store.put(key, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif kind == "swapped" and artifact.other:
        store.put(key, store.get(other))
        store.put(other, content)
    elif kind == "swapped":
        store.put(key, content + b" ")
    elif kind == "added":
        store.put(key.replace("part-00000", "part-00001") if "part-" in key else f"{Path(key).parent}/more{Path(key).suffix}", content)  # fmt: skip
    else:
        store.delete(key)


def moved(line: Line, artifact: Artifact, kind: str, place: str, folder: Path) -> Port:
    """The artifact as it comes out of the store, tampered with meanwhile."""
    store = Store.at(place)
    store.upload(Path(line.port(artifact.made).path), "artifact")
    if kind:
        tamper(store, artifact, kind)
    port = Page(folder / artifact.name)
    store.download("artifact", Path(port.path))
    port.metadata |= line.port(artifact.made).metadata
    return port


def refused(line: Line, artifact: Artifact, port: Port, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Have the step refuse: it ends with one message; a push that can read the examples' manifest puts it on record."""
    capsys.readouterr()
    try:
        done = line.step(artifact.step, out, **{artifact.name: port})
    except SystemExit:
        assert not any((out / "ledger").glob("entries/*"))
        said = capsys.readouterr().err
        assert "again" in said
        return said
    assert artifact.step == "push"
    assert (done.decision, done.version) == (Kind.REFUSED, 0)
    assert not (out / "published").exists() or not list((out / "published").glob("[0-9]*"))
    return "\n".join(Ledger.at(str(out / "ledger")).entry(1).reasons)


KINDS = ("changed", "swapped", "added", "removed")
CASES = [
    (artifact, kind) for artifact, kind in product(INPUTS, KINDS)
    if not (kind == "added" and (artifact.name in VERDICTS or artifact.part == "examples.json"))
]  # fmt: skip
"""A verdict is one file and its signature, a manifest one file: what lies beside them is not read."""


@pytest.mark.parametrize(("artifact", "kind"), CASES, ids=str)
def test_the_next_step_refuses(
    line: Line, artifact: Artifact, kind: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = moved(line, artifact, kind, place, tmp_path)
    said = refused(line, artifact, port, tmp_path / "out", capsys)
    assert artifact.name in said or artifact.part in said


@pytest.mark.parametrize(("artifact", "kind"), [case for case in CASES if case[0].listed], ids=str)
def test_without_metadata_the_files_that_are_listed_tell(
    line: Line, artifact: Artifact, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    port = moved(line, artifact, kind, str(tmp_path / "store"), tmp_path)
    port.metadata.clear()
    refused(line, artifact, port, tmp_path / "out", capsys)


@pytest.mark.parametrize("step", ["validate", "transform", "train", "evaluate", "refuse", "push"])
def test_what_is_as_it_was_is_taken(line: Line, step: str, place: str, tmp_path: Path) -> None:
    """The same way through the store, and nothing else."""
    ports = {a.name: moved(line, a, "", f"{place}/{a.name}", tmp_path) for a in INPUTS if a.step == step}
    done = line.step(step, tmp_path / "out", **ports)
    if step == "push":
        ledger = Ledger.at(str(tmp_path / "out" / "ledger"))
        assert done.decision == Kind.PROMOTED, next(iter(ledger.entries())).reasons


@pytest.mark.parametrize("step", ["validate", "transform", "train", "evaluate", "push"])
def test_examples_replaced_as_a_whole(
    line: Line, step: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Others, whole and in order by themselves; the metadata is that of the first."""
    others = Page(tmp_path / "examples")
    examples(others, 1)
    others.metadata = line.port("examples").metadata
    (artifact,) = [a for a in INPUTS if (a.step, a.name) == (step, "examples")]
    assert "examples is not what ingest wrote" in refused(line, artifact, others, tmp_path / "out", capsys)


@pytest.mark.parametrize("step", ["transform", "train"])
def test_what_was_made_of_other_examples(
    line: Line, step: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Statistics and transformed examples name the examples that they are of."""
    others = Page(tmp_path / "examples")
    examples(others, 1)
    (artifact,) = [a for a in INPUTS if (a.step, a.name) == (step, "examples")]
    assert "other examples" in refused(line, artifact, others, tmp_path / "out", capsys)


@pytest.mark.parametrize(("step", "name", "file"), [("transform", "statistics", "statistics.json"), ("train", "transformed", "transformed.json")])  # fmt: skip
def test_a_manifest_that_is_taken_away_is_missed(
    line: Line, step: str, name: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not taken for an artifact of an earlier format."""
    port = Page(tmp_path / name)
    shutil.copytree(line.port(name).path, port.path)
    (Path(port.path) / file).unlink()
    (artifact,) = [a for a in INPUTS if (a.step, a.name) == (step, name)]
    assert f"{file} is missing" in refused(line, artifact, port, tmp_path / "out", capsys)


def test_verdicts_and_model_name_what_they_are_of(line: Line) -> None:
    from sluice.gates.verdict import Verdict
    from sluice.models.manifest import ModelManifest

    held = Examples.load(Path(line.port("examples").path))
    data, model = (Verdict.load(Path(line.port(f"{gate}_verdict").path)) for gate in ("data", "model"))
    assert data.splits == {name: held.judged(name) for name in ("train", "eval")}
    assert model.splits == {"eval": held.judged("eval")}
    predictions = Path(line.port("evaluation").path) / "predictions.parquet"
    assert model.subjects["predictions"] == digest.of_file(predictions)
    training = ModelManifest.load(Path(line.port("model").path)).training
    names = ("examples", "transformed", "preprocessing", "statistics", "schema")
    assert {name: training[name] for name in names} == {name: line.port(name).metadata["digest"] for name in names}
