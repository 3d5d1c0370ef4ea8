"""What `sluice run` shows: a line a step while it works, then the gates' verdicts and where everything is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sluice.client.figures import line
from sluice.client.result import verdicts
from sluice.gates.verdict import Outcome, Severity, Status, Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status as Spinner

    from sluice.client.local import Run, Step
    from sluice.client.result import RunResult

DOES = {
    "resolve": "looks up the champion and the span",
    "ingest": "reads, splits and writes the examples",
    "validate": "computes statistics and judges the data",
    "transform": "builds the preprocessing and applies it",
    "train": "trains and exports the challenger",
    "evaluate": "scores and judges the challenger",
    "probe": "loads the export in a fresh process and asks it",
    "push": "checks the three verdicts and publishes",
    "refuse": "puts the refusal on record",
}
STYLE = {Status.BLESSED: "bold green", Status.NOT_BLESSED: "bold red", Status.INCONCLUSIVE: "bold yellow"}


@dataclass
class Progress:
    """A live line for the step at work, and a line for each one done."""

    console: Console
    _spinner: Spinner | None = field(default=None, repr=False)

    def started(self, step: Step) -> None:
        """Show what the step does."""
        self._spinner = self.console.status(f"{step.name:<10}{DOES.get(step.name, '')}")
        if self.console.is_terminal:
            self._spinner.start()

    def said(self, step: Step, message: str) -> None:
        """Show what the step says of itself."""
        if self._spinner:
            self._spinner.update(f"{step.name:<10}{message}")

    def ended(self, step: Step) -> None:
        """Leave one line: the step, its time, and the figures of what it did; why it failed is printed at the end."""
        if self._spinner:
            self._spinner.stop()
        mark = Text("✓", style="green") if step.succeeded else Text("✗", style="red")
        told = line(step) or DOES.get(step.name, "") if step.succeeded else step.error.partition("\n")[0]
        self.console.print(mark, f"{step.name:<10}{step.wall:6.1f} s ", Text(told, style="dim"), soft_wrap=True)


def summarise(console: Console, run: Run, outcome: RunResult) -> None:
    """Print what is worth knowing, each gate's verdict with its reasons, the decision, and where everything is."""
    console.print()
    for note in outcome.notes:
        console.print(Text.assemble(("Note: ", "yellow"), note))
    for _, verdict in verdicts(run):
        gate(console, verdict)
    _decision(console, outcome)
    places = Table.grid(padding=(0, 2))
    for name, place in _places(outcome):
        places.add_row(Text(name, style="dim"), Text(_short(place), overflow="fold"))
    console.print(Padding(places, (1, 0, 0, 0)))
    wall, cpu = sum(s.wall for s in run.steps), run.imports + sum(s.cpu for s in run.steps)
    console.print(
        Text(
            f"{len(run.steps)} steps in {wall:.0f} s"
            + (f", {cpu:.0f} CPU seconds, of which imports {run.imports:.0f}" if cpu else ""),
            style="dim",
        )
    )


def gate(console: Console, verdict: Verdict) -> None:
    """Print a verdict with every rule that did not pass."""
    against = "no champion yet"
    if verdict.baseline is not None:
        against = f"against champion {verdict.baseline}" if verdict.baseline else "against the baseline given"
    passed = sum(r.outcome is Outcome.PASSED for r in verdict.reasons)
    facts = f"{against}; {passed} of {len(verdict.reasons)} rules passed"
    console.print(f"{verdict.gate.capitalize()} gate:", Text(str(verdict.status), style=STYLE[verdict.status]),
                  Text(facts if verdict.gate != "service" else facts.partition("; ")[2], style="dim"))  # fmt: skip
    for reason in verdict.reasons:
        if reason.outcome is not Outcome.PASSED:
            style = "red" if reason.closes else "yellow"
            word = reason.rule if reason.severity is Severity.ERROR else f"{reason.rule} (warning)"
            console.print(Padding(Text.assemble((f"{word}: ", style), reason.sentence), (0, 0, 0, 2)))


def _decision(console: Console, outcome: RunResult) -> None:
    console.print()
    match outcome.decision:
        case "promoted":
            console.print(Text(f"Promoted: version {outcome.version} is the champion.", style="bold green"))
        case "withdrawn":
            _why(console, outcome, "Withdrawn: a destination failed, and the version before is served.")
        case "refused":
            _why(console, outcome, "Refused: nothing was published.")


def _why(console: Console, outcome: RunResult, said: str) -> None:
    """Tell a decision, and the pusher's reasons, which no gate has told above."""
    console.print(Text(f"{said} Entry {outcome.entry} of the ledger holds the reasons.", style="bold red"))
    if outcome.steps[-1].name == "push":
        for reason in outcome.reasons:
            console.print(Padding(Text(reason), (0, 0, 0, 2)))


def _places(outcome: RunResult) -> list[tuple[str, str]]:
    where = outcome.places
    reports = [(f"{name} report", page) for name, page in where.reports.items()]
    return [*(("model", uri) for uri in where.models), ("ledger", where.ledger), *reports, ("log", where.log)]


def _short(place: str) -> str:
    """A path below the current folder, relative to it."""
    here = f"{Path.cwd()}/"
    return place.removeprefix(here) if place.startswith(here) else place
