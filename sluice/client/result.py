"""What came of `sluice run`, as one document: the terminal's last lines and ``--json`` are two views of it."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from sluice.client.exit_status import ExitStatus
from sluice.client.figures import Figures, figures, places, whole
from sluice.errors import SluiceError
from sluice.gates.verdict import VERDICT_FILE, Outcome, Status, Verdict
from sluice.promotion.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.client.local import Run, Step
    from sluice.config.usecase import UseCase

Decision = Literal["promoted", "refused", "withdrawn", "failed", "interrupted"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepResult(_Frozen):
    """A step.

    Attributes:
        name: the component's name.
        succeeded: whether it ended well.
        seconds: from start to end.
        figures: what it says of its work (`sluice.client.figures`).
        error: what it said when it failed.
    """

    name: str
    succeeded: bool
    seconds: float
    figures: Figures
    error: str = ""


class VerdictResult(_Frozen):
    """A gate's verdict in short; the whole is in the file.

    Attributes:
        status: ``BLESSED``, ``NOT_BLESSED`` or ``INCONCLUSIVE``.
        champion: version that was compared with; None where there was none.
        rules: rules that were applied.
        reasons: why the gate is closed.
        warnings: rules that did not pass and do not close it.
        file: ``verdict.json``.
    """

    status: Status
    champion: int | None
    rules: int
    reasons: list[str]
    warnings: list[str]
    file: str


class Places(_Frozen):
    """Where everything is.

    Attributes:
        models: the published version, at each destination.
        ledger: URI of the ledger.
        reports: step to its HTML page.
        log: all output of all steps.
    """

    models: list[str]
    ledger: str
    reports: dict[str, str]
    log: str


class RunResult(_Frozen):
    """A run on this machine, and what came of it.

    Attributes:
        use_case: its name.
        run: the run's ID.
        decision: what came of it.
        exit_status: what the command ends with.
        span: the span that was read, in explicit form.
        entry: number of the ledger's entry; None where none was written.
        version: the version that was published; None where none was.
        reasons: of a refusal or withdrawal, why; of a failure, what the step said.
        notes: what is worth knowing and decided nothing: of the rows, the features, the training.
        verdicts: gate to its verdict.
        steps: every step, in order.
        places: where everything is.
    """

    use_case: str
    run: str
    decision: Decision
    exit_status: int
    span: str
    entry: int | None
    version: int | None
    reasons: list[str]
    notes: list[str]
    verdicts: dict[str, VerdictResult]
    steps: list[StepResult]
    places: Places


def verdicts(run: Run) -> list[tuple[Path, Verdict]]:
    """The verdicts that the steps gave, and the folders that hold them, in order."""
    found = []
    for step in run.steps:
        if "verdict" in step.outputs:
            with contextlib.suppress(SluiceError):  # a step that failed before it judged
                found.append((step.outputs["verdict"], Verdict.load(step.outputs["verdict"])))
    return found


def result(run: Run, use_case: UseCase, error: BaseException | None = None) -> RunResult:
    """Gather what a run has done; its reports are copied beside its log.

    Args:
        run: the run, which has ended.
        use_case: whose it is.
        error: what ended it before its decision, if anything did.
    """
    judged, last = verdicts(run), run.steps[-1] if run.steps else None
    decision = _decision(last, error)
    entry = _entry(last) if decision in ("promoted", "refused", "withdrawn") else None
    version = whole(last.values["version"]) if last and decision == "promoted" else None
    return RunResult(
        use_case=use_case.name, run=run.id, decision=decision, exit_status=_exit_status(decision, [verdict for _, verdict in judged], error),
        span=next((step.values.get("span", "") for step in run.steps if step.name == "resolve"), ""),
        entry=entry, version=version, reasons=_reasons(decision, use_case.ledger, entry, last),
        notes=_notes(run, [verdict for _, verdict in judged]), verdicts={verdict.gate: _short(folder, verdict) for folder, verdict in judged},
        steps=[
            StepResult(name=step.name, succeeded=bool(step.succeeded), seconds=round(step.wall, 3), figures=figures(step),
                       error=step.error)
            for step in run.steps
        ],
        places=Places(models=places(use_case.destination, version) if version else [], ledger=use_case.ledger,
                      reports=_reports(run), log=str(run.folder / "log.txt")),
    )  # fmt: skip


def _decision(last: Step | None, error: BaseException | None) -> Decision:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if error is not None or last is None:
        return "failed"
    decision: Any = "refused" if last.name == "refuse" else last.values.get("decision")
    return decision if decision in ("promoted", "refused", "withdrawn") else "failed"


def _entry(last: Step | None) -> int | None:
    number = last.values.get("number", last.values.get("Output")) if last else None
    return None if number is None else int(number)


def _exit_status(decision: Decision, judged: list[Verdict], error: BaseException | None) -> int:
    if decision == "interrupted":
        return 128 + getattr(error, "number", 2)
    if decision == "promoted":
        return ExitStatus.DONE
    if decision == "refused":
        statuses = {verdict.status for verdict in judged}
        undecided = Status.INCONCLUSIVE in statuses and Status.NOT_BLESSED not in statuses
        return ExitStatus.INCONCLUSIVE if undecided else ExitStatus.NOT_BLESSED
    return getattr(error, "exit_status", ExitStatus.FAILED)


def _reasons(decision: Decision, ledger: str, entry: int | None, last: Step | None) -> list[str]:
    if decision in ("refused", "withdrawn") and entry:
        return list(Ledger.at(ledger).entry(entry).reasons)
    return [last.error] if last and last.error else []


def _notes(run: Run, judged: list[Verdict]) -> list[str]:
    """Those of the verdicts, and of steps whose gate has not spoken."""
    said = [note for verdict in judged for note in verdict.evidence.get("notes", ())]
    said += [note for step in run.steps for artifact in step.metadata.values() for note in artifact.get("notes", ())]
    return list(dict.fromkeys(said))


def _short(folder: Path, verdict: Verdict) -> VerdictResult:
    return VerdictResult(
        status=verdict.status, champion=verdict.baseline, rules=len(verdict.reasons),
        reasons=[reason.sentence for reason in verdict.reasons if reason.closes],
        warnings=[r.sentence for r in verdict.reasons if r.outcome is not Outcome.PASSED and not r.closes],
        file=str(folder / VERDICT_FILE),
    )  # fmt: skip


def _reports(run: Run) -> dict[str, str]:
    """Step to a copy of its report beside the log, under the step's name."""
    copies: dict[str, Path] = {}
    for step in run.steps:
        if "report" in step.outputs and step.outputs["report"].exists():
            copies[step.name] = run.folder / f"{step.name}.html"
            shutil.copyfile(step.outputs["report"], copies[step.name])
    return {name: str(page) for name, page in copies.items()}
