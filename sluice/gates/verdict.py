"""Verdicts: what a gate decided, why, about which bytes, and under which policy.

A verdict's status follows from its reasons alone (`decide`). Its file is canonical JSON, so that the same evidence
and policy give the same verdict byte for byte.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - pydantic-free here, kept for the public signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from sluice import digest
from sluice.errors import SluiceError
from sluice.run import RunReference
from sluice.stored import NewerFormatError, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

VERDICT_FILE = "verdict.json"
CHAMPION_STATISTICS = "champion_statistics"
"""Subject of the model gate's verdict: the statistics that hold the hashes of the champion's training rows."""
VERDICT_1 = frozenset(
    ("gate", "status", "reasons", "subjects", "policy", "policy_digest", "baseline", "bootstrap", "evidence")
)
"""The fields of a verdict of format 1."""

GateName = Literal["data", "model", "service"]


class Status(StrEnum):
    """What a gate says. Only BLESSED opens it."""

    BLESSED = "BLESSED"
    NOT_BLESSED = "NOT_BLESSED"
    INCONCLUSIVE = "INCONCLUSIVE"


class Mode(StrEnum):
    """What a closed gate does to the run.

    ``report``: write it down and go on (the pusher still refuses). ``block``: skip what follows; the run stays
    green. ``fail``: the step fails with the reasons.
    """

    REPORT = "report"
    BLOCK = "block"
    FAIL = "fail"


class Outcome(StrEnum):
    """What one rule found."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Severity(StrEnum):
    """Whether a rule that did not pass closes the gate (``error``) or is only told (``warning``)."""

    ERROR = "error"
    WARNING = "warning"


class Reason(BaseModel):
    """One rule applied to one subject.

    Attributes:
        rule: the rule's name, as the policy and the documentation spell it, e.g. ``drift`` or ``floor``.
        subject: what it was applied to: a feature, a metric, ``metric @ slice``, a split, a budget.
        outcome: passed, failed or inconclusive.
        severity: whether not passing closes the gate.
        observed: what was seen.
        bound: what the policy asks.
        baseline: the value compared with (the champion's, the previous span's), if any.
        interval: confidence interval of what was seen, if the rule has one.
        sentence: one sentence for a person: seen, expected, and what would settle it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: str
    subject: str
    outcome: Outcome
    severity: Severity = Severity.ERROR
    observed: float | int | str | None = None
    bound: float | int | str | None = None
    baseline: float | int | str | None = None
    interval: tuple[float, float] | None = None
    sentence: str

    @property
    def closes(self) -> bool:
        """Whether this reason by itself keeps the gate shut."""
        return self.severity is Severity.ERROR and self.outcome is not Outcome.PASSED


class JudgedRows(BaseModel):
    """Rows that a gate looked at.

    Attributes:
        rows: how many.
        digest: of the bytes that hold them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows: int
    digest: str


class Verdict(Stored):
    """A gate's decision on record.

    Attributes:
        format: of ``verdict.json``; 1 had neither `splits` nor `run`.
        release: the sluice release that judged.
        gate: ``data``, ``model`` or ``service``.
        status: follows from the reasons (see `decide`).
        reasons: every rule that was applied, those that close the gate first.
        subjects: name (``examples``, ``model``, ...) to digest of what was judged.
        splits: split of the examples to the rows that were judged; a file of predictions is one by that name.
        policy: the policy as it was applied, defaults filled in.
        policy_digest: digest of the policy in canonical JSON.
        baseline: version of the champion compared with, or None.
        bootstrap: True where a first model passed without a baseline to be compared with.
        evidence: facts about how it was judged that are not rules, e.g. the server and its version.
        run: the run that judged; the same evidence gives the same verdict in each run, but for this.
    """

    WHAT: ClassVar[str] = "the verdict"

    format: int = 2
    gate: GateName
    status: Status
    reasons: tuple[Reason, ...]
    subjects: dict[str, str]
    splits: dict[str, JudgedRows] = Field(default_factory=dict)
    policy: dict[str, Any]
    policy_digest: str
    baseline: int | None = None
    bootstrap: bool = False
    evidence: dict[str, Any] = Field(default_factory=dict)
    run: RunReference = RunReference()

    @classmethod
    def upgrade(cls, content: dict[str, Any], number: int) -> dict[str, Any]:
        """A verdict of format 1: no splits, no run, and nothing else that is not in it."""
        if unknown := sorted(content.keys() - VERDICT_1):
            raise ValueError(f"not in a verdict of format {number}: {', '.join(unknown)}")
        return {**content, "release": ""}

    @property
    def blessed(self) -> bool:
        """Whether the gate opens."""
        return self.status is Status.BLESSED

    def save(self, folder: Path) -> None:
        """Write ``verdict.json`` into an artifact's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / VERDICT_FILE).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> Verdict:
        """Read a verdict and check that its status and policy digest are what its own content says.

        Raises:
            NewerFormatError: a later release wrote it.
            SluiceError: there is no verdict, it cannot be read, or it contradicts itself.
        """
        file = folder / VERDICT_FILE
        try:
            verdict = cls.parse(file.read_bytes(), str(file))
        except NewerFormatError:
            raise
        except (OSError, ValueError) as error:
            raise SluiceError(
                f"no readable verdict ({type(error).__name__})", where=str(file), remedy="run the gate again"
            ) from error
        if verdict.status is not decide(verdict.reasons):
            raise SluiceError(
                f"the status {verdict.status} does not follow from the reasons",
                where=str(file),
                remedy="the file was edited: run the gate again",
            )
        if verdict.policy_digest != digest.of_json(verdict.policy):
            raise SluiceError(
                "the policy digest is not that of the policy",
                where=str(file),
                remedy="the file was edited: run the gate again",
            )
        return verdict


def decide(reasons: Iterable[Reason]) -> Status:
    """The law: one failed error closes the gate; else one inconclusive error leaves it undecided; else it opens.

    No reason at all decides nothing: INCONCLUSIVE.
    """
    reasons = list(reasons)
    closing = [reason for reason in reasons if reason.closes]
    if any(reason.outcome is Outcome.FAILED for reason in closing):
        return Status.NOT_BLESSED
    return Status.BLESSED if reasons and not closing else Status.INCONCLUSIVE


def verdict(
    gate: GateName,
    reasons: Iterable[Reason],
    *,
    subjects: dict[str, str],
    splits: dict[str, JudgedRows] | None = None,
    policy: BaseModel,
    baseline: int | None = None,
    bootstrap: bool = False,
    evidence: dict[str, Any] | None = None,
) -> Verdict:
    """Compose a verdict from reasons; orders them (closing, then warnings, then passed; by rule and subject)."""
    order = {Outcome.FAILED: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASSED: 2}
    ranked = sorted(reasons, key=lambda r: (not r.closes, order[r.outcome], r.rule, r.subject))
    applied = policy.model_dump(mode="json")
    return Verdict(
        gate=gate,
        status=decide(ranked),
        reasons=tuple(ranked),
        subjects=subjects,
        splits=splits or {},
        policy=applied,
        policy_digest=digest.of_json(applied),
        baseline=baseline,
        bootstrap=bootstrap,
        evidence=evidence or {},
    )
