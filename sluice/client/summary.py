"""What `sluice run` shows: a line a step while it works, then the gates' verdicts and where everything is."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sluice.gates.verdict import Outcome, Severity, Status, Verdict
from sluice.promotion.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.status import Status as Spinner

    from sluice.client.local import Run, Step

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
        """Leave one line: the step, its time, and what it does or did wrong."""
        if self._spinner:
            self._spinner.stop()
        mark = Text("✓", style="green") if step.succeeded else Text("✗", style="red")
        self.console.print(mark, f"{step.name:<10}{step.wall:6.1f} s ", Text(DOES.get(step.name, ""), style="dim"))


def summarise(console: Console, run: Run, destinations: Sequence[str], ledger: str) -> None:
    """Print each gate's verdict with its reasons, the decision, and where model, ledger and reports are."""
    console.print()
    for step in run.steps:
        if "verdict" in step.outputs and step.name != "refuse":
            with contextlib.suppress(OSError):
                gate(console, Verdict.load(step.outputs["verdict"]))
    _decision(console, run, ledger)
    places = Table.grid(padding=(0, 2))
    for name, place in _places(run, destinations, ledger):
        places.add_row(Text(name, style="dim"), Text(str(place), overflow="fold"))
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


def _decision(console: Console, run: Run, ledger: str) -> None:
    last = run.steps[-1] if run.steps else None
    if last is None:
        return
    console.print()
    if last.name == "push" and last.values.get("decision") == "promoted":
        console.print(Text(f"Promoted: version {last.values['version']:.0f} is the champion.", style="bold green"))
    elif last.name == "push" and last.values.get("decision") == "withdrawn":
        _why(
            console, ledger, last.values["number"], "Withdrawn: a destination failed, and the version before is served."
        )
    elif last.name in ("push", "refuse"):
        number = last.values.get("number", last.values.get("Output", 0))
        _why(console, ledger if last.name == "push" else "", number, "Refused: nothing was published.")


def _why(console: Console, ledger: str, number: float, said: str) -> None:
    """Tell a decision, and the pusher's reasons, which no gate has told above."""
    console.print(Text(f"{said} Entry {number:.0f} of the ledger holds the reasons.", style="bold red"))
    for reason in Ledger.at(ledger).entry(int(number)).reasons if ledger else ():
        console.print(Padding(Text(reason), (0, 0, 0, 2)))


def _places(run: Run, destinations: Sequence[str], ledger: str) -> list[tuple[str, str]]:
    places = []
    last = run.steps[-1] if run.steps else None
    if last and last.values.get("decision") == "promoted":
        for uri in destinations:
            plain = "?" not in uri
            places.append(("model", f"{uri.rstrip('/')}/{last.values['version']:.0f}" if plain else uri))
    places.append(("ledger", ledger))
    for step in run.steps:
        if "report" in step.outputs and step.outputs["report"].exists():
            page = run.folder / f"{step.name}.html"
            shutil.copyfile(step.outputs["report"], page)
            places.append((f"{step.name} report", str(page)))
    return [(name, _short(place)) for name, place in [*places, ("log", str(run.folder / "log.txt"))]]


def _short(place: str) -> str:
    """A path below the current folder, relative to it."""
    here = f"{Path.cwd()}/"
    return place.removeprefix(here) if place.startswith(here) else place
