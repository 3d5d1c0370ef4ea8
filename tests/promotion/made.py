"""Candidates for a push: small folders under three real verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice import digest
from sluice.examples.manifest import Manifest
from sluice.gates.verdict import Outcome, Reason, verdict
from sluice.models.manifest import ModelManifest, RawType, Task
from sluice.promotion.approved_policies import POLICIES
from sluice.promotion.ledger import Entry, Ledger
from sluice.promotion.push import push

MODEL_POLICY = {"rules": [{"metric": "auc", "at_least": 0.65}]}
EXAMPLES = Manifest(sources=[], columns={}, splits={}, split={}, rows_in=0, duplicates=0)


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
            verdict(gate, [reason], subjects=subjects, policy=policy, baseline=baseline).save(path)  # type: ignore[arg-type]

    def push(self, ledger: str, destination: str) -> Entry:
        """Push it as it is."""
        return push(
            model=self.model, statistics=self.folder / "statistics", schema=self.folder / "schema", verdicts=self.verdicts(),
            policies=self.policies, destination=destination, ledger=ledger, run={"use_case": "made", "span": "1"},
            examples=EXAMPLES,
        )  # fmt: skip

    def judged_and_pushed(self, ledger: str, destination: str) -> Entry:
        """Judge it against the champion that the ledger names now, and push it."""
        champion = Ledger.at(ledger).champion()
        self.judge(champion.number if champion else None)
        return self.push(ledger, destination)


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
