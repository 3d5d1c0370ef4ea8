"""What is worth knowing of a decision beside its reasons: of the rows, and the gates' warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.gates.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.gates.verdict import Verdict


def notes(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Each once, in order: what the verdicts say of the rows they judged, then rules that did not pass and close no gate."""
    judged = list(verdicts)
    of_rows = [str(note) for verdict in judged for note in verdict.evidence.get("notes", ())]
    warnings = [
        f"{verdict.gate} gate, {reason.rule}: {reason.sentence}"
        for verdict in judged
        for reason in verdict.reasons
        if reason.outcome is not Outcome.PASSED and not reason.closes
    ]
    return tuple(dict.fromkeys([*of_rows, *warnings]))
