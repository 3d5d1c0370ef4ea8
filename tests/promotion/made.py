"""Candidates for a push: small folders under three real verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice import digest
from sluice.examples.manifest import Manifest, SplitFacts
from sluice.gates.verdict import JudgedRows, Outcome, Reason, verdict
from sluice.models.manifest import ModelManifest, RawType, Task
from sluice.parts import Part
from sluice.promotion.approved_policies import POLICIES
from sluice.promotion.ledger import Entry, Ledger
from sluice.promotion.push import push

MODEL_POLICY = {"rules": [{"metric": "auc", "at_least": 0.65}]}
SPLITS = {
    name: SplitFacts(rows=rows, bytes=0, parts=(Part(name=f"{name}/part-00000.parquet", digest=f"sha256:{name}", bytes=0, rows=rows),))
    for name, rows in {"train": 80, "eval": 20}.items()
}  # fmt: skip
EXAMPLES = Manifest(sources=[], columns={}, splits=SPLITS, split={}, rows_in=100, duplicates=0)
JUDGED = {name: JudgedRows(rows=facts.rows, digest=facts.digest) for name, facts in SPLITS.items()}
JUDGED_BY = {"data": JUDGED, "model": {"eval": JUDGED["eval"]}, "service": {}}


@dataclass
class Candidate:
    """What the pusher is given, but for ledger and destination."""

    folder: Path
    policies: dict[str, Any] = field(
        default_factory=lambda: {"data": {}, "model": MODEL_POLICY, "service": {}, "push": {}}
    )

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def digest(self) -> str:
        return digest.of_tree(self.model)

    def verdicts(self) -> dict[str, Path]:
        return {gate: self.folder / f"verdict-{gate}" for gate in ("data", "model", "service")}

    def judge(self, baseline: int | None, outcome: Outcome = Outcome.PASSED) -> None:
        """Have the three gates judge what is there now."""
        given = {"statistics": self.folder / "statistics", "schema": self.folder / "schema", "model": self.model}
        subjects = {name: digest.of_tree(path) for name, path in given.items()} | {"examples": EXAMPLES.digest}
        for gate, path in self.verdicts().items():
            reason = Reason(rule="rule", subject="all", outcome=outcome, sentence=f"the {gate} was looked at")
            policy = POLICIES[gate].model_validate(self.policies[gate])
            verdict(
                gate, [reason], subjects=subjects, splits=JUDGED_BY[gate], policy=policy, baseline=baseline,  # type: ignore[arg-type]
            ).save(path)  # fmt: skip

    def push(self, ledger: str, *destinations: str) -> Entry:
        """Push it as it is."""
        return push(
            model=self.model, statistics=self.folder / "statistics", schema=self.folder / "schema", verdicts=self.verdicts(),
            policies=self.policies, destinations=destinations, ledger=ledger, run={"use_case": "made", "span": "1"},
            examples=EXAMPLES,
        )  # fmt: skip

    def judged_and_pushed(self, ledger: str, *destinations: str) -> Entry:
        """Judge it against the champion that the ledger names now, and push it."""
        champion = Ledger.at(ledger).champion()
        self.judge(champion.version if champion else None)
        return self.push(ledger, *destinations)


def candidate(folder: Path, text: str, size: int = 1000) -> Candidate:
    """A candidate whose model says `text`."""
    model = folder / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text(text)
    (model / "variables" / "weights").write_bytes(text.encode()[:1] * size)
    ModelManifest(
        flavor="tensorflow", task=Task.BINARY, label="late", classes=["0", "1"], features={"x": RawType.FLOAT},
        training={"examples": EXAMPLES.digest},
    ).save(model)  # fmt: skip
    for name in ("statistics", "schema"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
    return Candidate(folder)


def content(folder: Path) -> str:
    """What a published model says."""
    return (folder / "saved_model.pb").read_text()
