"""The law of the model gate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.gates.model.evidence import OVERALL
from sluice.gates.model.metrics import DIRECTION, FLOOR, TASKS, Direction
from sluice.gates.verdict import Outcome, Reason, Severity, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sluice.gates.model.evidence import ModelEvidence, SliceEvidence
    from sluice.gates.model.policy import ModelPolicy, Rule


def judge(evidence: ModelEvidence, policy: ModelPolicy, *, subjects: dict[str, str]) -> Verdict:
    """Judge a challenger by a policy.

    Args:
        evidence: metrics of challenger, champion and trivial predictor on the same rows.
        policy: the rules.
        subjects: digests of what is judged.
    """
    reasons = [*_identity(evidence), *_floor(evidence, policy), *_cold_start(evidence, policy)]
    for rule in policy.rules:
        reasons += list(_rule(rule, evidence, policy))
    bootstrap = evidence.champion is None and any(rule.compares for rule in policy.rules)
    return verdict("model", reasons, subjects=subjects, policy=policy, baseline=evidence.champion, bootstrap=bootstrap)


def _identity(evidence: ModelEvidence) -> Iterator[Reason]:
    if evidence.identical:
        yield Reason(rule="identical", subject="model", outcome=Outcome.FAILED, baseline=evidence.champion,
                     sentence=f"the challenger is the champion, version {evidence.champion}, byte for byte: there is nothing to push")  # fmt: skip


def _cold_start(evidence: ModelEvidence, policy: ModelPolicy) -> Iterator[Reason]:
    if evidence.champion is not None:
        return
    outcome = {"allow": Outcome.PASSED, "require_approval": Outcome.INCONCLUSIVE, "forbid": Outcome.FAILED}[
        policy.bootstrap
    ]
    told = {
        "allow": "there is no champion yet; the policy lets a first model pass on its own merits",
        "require_approval": "there is no champion yet, and the policy asks for a person's approval of a first model",
        "forbid": "there is no champion, and the policy forbids a first model: set policies.model.bootstrap to allow one",
    }[policy.bootstrap]
    yield Reason(rule="bootstrap", subject="champion", outcome=outcome, sentence=told)


def _floor(evidence: ModelEvidence, policy: ModelPolicy) -> Iterator[Reason]:
    if policy.floor == "off":
        yield Reason(rule="floor", subject="trivial predictor", outcome=Outcome.FAILED, severity=Severity.WARNING,
                     sentence="the policy does not ask that the model beats the trivial predictor")  # fmt: skip
        return
    metric = policy.floor.metric or FLOOR[evidence.task]
    every = evidence.slices[OVERALL]
    if metric not in every.challenger:
        yield _undefined("floor", metric, OVERALL, evidence.task)
        return
    model, trivial = every.challenger[metric], every.trivial[metric]
    gain = _sign(metric) * (model.value - trivial.value)
    draws = _sign(metric) * (model.draws - trivial.draws)
    yield _decide(
        "floor", f"{metric}", gain, draws, policy.floor.margin, every.rows, policy, baseline=trivial.value,
        told=f"{metric} is {model.value:.4f}, that of the best constant {trivial.value:.4f}",
        wanted=f"the model must be better by at least {policy.floor.margin:g}",
    )  # fmt: skip


def _rule(rule: Rule, evidence: ModelEvidence, policy: ModelPolicy) -> Iterator[Reason]:
    if rule.compares and evidence.champion is None:
        return  # the bootstrap rule has spoken
    names = [name for group in rule.slices for name in evidence.groups.get(group, ())] if rule.slices else [OVERALL]
    tested = [name for name in names if evidence.slices[name].rows >= policy.min_slice_rows or name == OVERALL]
    for name in names:
        held = evidence.slices[name]
        if rule.metric not in held.challenger:
            yield _undefined(rule.name, rule.metric, name, evidence.task)
        elif name not in tested:
            yield _tell(rule, Reason(
                rule=rule.name, subject=_subject(rule.metric, name), outcome=Outcome.INCONCLUSIVE,
                observed=held.rows, bound=policy.min_slice_rows,
                sentence=f"{name} has {held.rows} rows, fewer than the {policy.min_slice_rows} that a judgement needs: "
                         f"{policy.min_slice_rows - held.rows} more would settle it",
            ))  # fmt: skip
        elif rule.compares:
            yield _tell(rule, _against_champion(rule, name, held, policy, len(tested)))
        else:
            yield from (_tell(rule, reason) for reason in _value(rule, name, held, policy, len(tested)))


def _value(rule: Rule, name: str, held: SliceEvidence, policy: ModelPolicy, tests: int) -> Iterator[Reason]:
    bound = rule.at_least if rule.at_least is not None else rule.at_most
    assert bound is not None  # noqa: S101 - the policy's own validation
    model, trivial, sign = held.challenger[rule.metric], held.trivial[rule.metric], _sign(rule.metric)
    word = "at least" if rule.at_least is not None else "at most"
    if name == OVERALL and sign * (trivial.value - bound) >= 0:
        yield Reason(
            rule="vacuous_bound", subject=rule.metric, outcome=Outcome.FAILED, observed=trivial.value, bound=bound,
            sentence=f"the best constant already has a {rule.metric} of {trivial.value:.4f}, and the policy asks for {word} {bound:g}: "
                     "such a bound tells nothing; ask for more",
        )  # fmt: skip
    yield _decide(
        rule.name, _subject(rule.metric, name), sign * (model.value - bound), sign * (model.draws - bound), 0.0, held.rows,
        policy, told=f"{_subject(rule.metric, name)} is {model.value:.4f}", wanted=f"{word} {bound:g} is asked for",
        anchor=(bound, sign), tests=tests,
    )  # fmt: skip


def _against_champion(rule: Rule, name: str, held: SliceEvidence, policy: ModelPolicy, tests: int) -> Reason:
    model, champion, sign = held.challenger[rule.metric], held.champion[rule.metric], _sign(rule.metric)
    gain, draws = sign * (model.value - champion.value), sign * (model.draws - champion.draws)
    if rule.relative:
        if champion.value == 0:
            return Reason(rule=rule.name, subject=_subject(rule.metric, name), outcome=Outcome.FAILED, baseline=0.0,
                          sentence=f"the champion's {rule.metric} is 0, and a relative change of 0 means nothing: use an absolute margin")  # fmt: skip
        gain, draws = gain / abs(champion.value), draws / np.abs(champion.draws)
    need = -rule.non_inferior_by if rule.non_inferior_by is not None else float(rule.superior_by or 0.0)
    margin = f"{abs(need):.2%} of it" if rule.relative else f"{abs(need):g}"
    return _decide(
        rule.name, _subject(rule.metric, name), gain, draws, need, held.rows, policy, baseline=champion.value, tests=tests,
        told=f"{_subject(rule.metric, name)} is {model.value:.4f}, the champion's {champion.value:.4f} on the same rows",
        wanted=f"it may be worse by at most {margin}" if need <= 0 and rule.non_inferior_by is not None
        else f"it must be better by at least {margin}",
    )  # fmt: skip


def _decide(
    rule: str, subject: str, gain: float, draws: NDArray[np.floating], need: float, rows: int, policy: ModelPolicy, *,
    told: str, wanted: str, baseline: float | None = None, anchor: tuple[float, float] = (0.0, 1.0), tests: int = 1,
) -> Reason:  # fmt: skip
    """Pass, fail or leave undecided: is `gain`, which is good when it is large, at least `need`?

    It passes when its interval lies at or above the need, and fails when it lies below. Where one rule is applied to
    several slices, a slice fails only at a confidence corrected for their number (Bonferroni), as among many slices
    some look bad by chance; passing needs no correction, as every slice must pass. What is shown is
    ``anchor[0] + anchor[1] * gain``: the metric itself for a bound on its value, the gain for a comparison.
    """

    def shown(value: float) -> float:
        return anchor[0] + anchor[1] * value

    facts: dict[str, Any] = {"rule": rule, "subject": subject, "baseline": _round(baseline)}
    if not math.isfinite(gain):
        return Reason(**facts, outcome=Outcome.FAILED, sentence=f"{subject} is not a number on these rows; {wanted}")
    facts |= {"observed": _round(shown(gain)), "bound": _round(shown(need))}
    if policy.uncertainty == "point":
        return Reason(**facts, outcome=Outcome.PASSED if gain >= need else Outcome.FAILED, sentence=f"{told}; {wanted}")
    low, high = interval(draws, policy.confidence)
    _, best = interval(draws, 1 - (1 - policy.confidence) / tests)
    outcome = Outcome.PASSED if low >= need else Outcome.FAILED if best < need else Outcome.INCONCLUSIVE
    left, right = sorted((shown(low), shown(high)))
    sentence = f"{told} ({policy.confidence:.0%} interval{'' if anchor[0] else ' of the difference'} {left:.4f} to {right:.4f}); {wanted}"
    if outcome is Outcome.INCONCLUSIVE:
        sentence += f"; noise leaves it undecided: {_more(rows, gain - need, (high - low) / 2)}"
    if math.isfinite(left) and math.isfinite(right):
        facts["interval"] = (round(left, 9), round(right, 9))
    return Reason(**facts, outcome=outcome, sentence=sentence)


def interval(draws: NDArray[np.floating], confidence: float) -> tuple[float, float]:
    """Percentile interval of the draws that are defined; the whole line where fewer than half are."""
    defined = draws[np.isfinite(draws)]
    if len(defined) < len(draws) / 2:
        return -math.inf, math.inf
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _more(rows: int, distance: float, half: float) -> str:
    """How many rows would settle it: an interval's width falls with the square root of the rows."""
    if not math.isfinite(half) or abs(distance) < half / 100:
        return "it is as close to the bound as can be told; move the margin, or gather far more rows"
    return f"about {math.ceil(rows * ((half / abs(distance)) ** 2 - 1)):,} more evaluation rows would settle it"


def _tell(rule: Rule, reason: Reason) -> Reason:
    if rule.when_inconclusive == "warn" and reason.outcome is Outcome.INCONCLUSIVE:
        return reason.model_copy(update={"severity": Severity.WARNING})
    return reason


def _undefined(rule: str, metric: str, name: str, task: str) -> Reason:
    return Reason(rule=rule, subject=_subject(metric, name), outcome=Outcome.FAILED,
                  sentence=f"{metric} is not a metric of a {task} task; known: {', '.join(TASKS[task])}")  # fmt: skip


def _subject(metric: str, name: str) -> str:
    return f"{metric} @ {name}" if name else metric


def _sign(metric: str) -> float:
    return 1.0 if DIRECTION[metric] is Direction.UP else -1.0


def _round(value: float | None) -> float | None:
    """Nine decimals: what is beyond depends on the order of sums."""
    return None if value is None or not math.isfinite(value) else round(float(value), 9)
