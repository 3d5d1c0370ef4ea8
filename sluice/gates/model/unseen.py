"""Whether the champion was trained on rows on which it is compared now: it would know their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.gates.verdict import Outcome, Reason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sluice.gates.model.evidence import ModelEvidence
    from sluice.gates.model.policy import ModelPolicy

RULE = "unseen"
COMPARING = ("non_inferior_by", "superior_by")


def unseen(evidence: ModelEvidence, policy: ModelPolicy) -> Iterator[Reason]:
    """At most a share of the evaluation rows may be among the champion's training rows.

    Above it the comparison is INCONCLUSIVE; where the count is not known it is a warning, and so it is where no rule of
    the policy compares with the champion. Nothing is said without a champion, or where nobody counted.
    """
    seen = evidence.seen
    if evidence.champion is None or seen is None:
        return
    champion = f"the champion, version {evidence.champion}," if evidence.champion else "the champion"
    compares = any(rule.compares for rule in policy.rules)
    if seen.trained_on is None:
        yield Reason(
            rule=RULE, subject="champion", outcome=Outcome.INCONCLUSIVE, severity=Severity.WARNING, observed="unknown",
            bound=policy.max_seen_by_champion,
            sentence=f"how many of the {seen.rows:,} evaluation rows {champion} was trained on is unknown: {seen.why}; both models "
            "were scored on all of these rows, and the comparison favours the champion where it has seen them",
        )  # fmt: skip
        return
    count = f"{champion} was trained on {seen.trained_on:,} of the {seen.rows:,} evaluation rows ({seen.share:.2%})"
    allowed = f"at most {policy.max_seen_by_champion:.2%} are allowed"
    why = f"; {seen.why}" if seen.why else ""
    if seen.share <= policy.max_seen_by_champion:
        yield Reason(
            rule=RULE, subject="champion", outcome=Outcome.PASSED, observed=seen.share, bound=policy.max_seen_by_champion,
            sentence=f"{count}; {allowed}{why}",
        )  # fmt: skip
        return
    yield Reason(
        rule=RULE, subject="champion", outcome=Outcome.INCONCLUSIVE, severity=Severity.ERROR if compares else Severity.WARNING,
        observed=seen.share, bound=policy.max_seen_by_champion,
        sentence=f"{count}, and {allowed}: both models were scored on all of these rows, and the comparison favours the champion"
        f"{why}; give all runs the same `split`, by `keys` that never change; evaluate on rows that are newer than the champion; "
        "or answer for this model with a waiver (sluice waive)",
    )  # fmt: skip


def undecided(reasons: Iterable[Reason], evidence: ModelEvidence, policy: ModelPolicy) -> list[Reason]:
    """The reasons, with comparisons that the challenger lost made inconclusive where the champion knew too many rows."""
    seen = evidence.seen
    if seen is None or seen.trained_on is None or seen.share <= policy.max_seen_by_champion:
        return list(reasons)
    note = "; undecided, as the champion was trained on some of these rows"
    return [
        reason.model_copy(update={"outcome": Outcome.INCONCLUSIVE, "sentence": reason.sentence + note})
        if reason.rule in COMPARING and reason.outcome is Outcome.FAILED
        else reason
        for reason in reasons
    ]


def comparison(evidence: ModelEvidence) -> dict[str, Any]:
    """How the two models were compared, for the verdict's evidence; empty without a champion, or where nobody counted."""
    seen = evidence.seen
    if evidence.champion is None or seen is None:
        return {}
    return {"comparison": {
        "champion": evidence.champion, "rows": seen.rows, "champion_trained_on": seen.trained_on, "split": seen.split,
        "champion_split": seen.champion_split,
    }}  # fmt: skip
