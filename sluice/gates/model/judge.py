"""The law of the model gate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sluice.gates.model.evidence import OVERALL, ModelEvidence, SliceEvidence
from sluice.gates.model.interval import holm, interval, more_rows, worse
from sluice.gates.model.metrics import DIRECTION, FLOOR, MET_BY_CONSTANTS, TASKS, Direction
from sluice.gates.model.undefined import undefined
from sluice.gates.model.unseen import comparison, undecided, unseen
from sluice.gates.model.waiver import Waiver, waive
from sluice.gates.verdict import JudgedRows, Outcome, Reason, Severity, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from sluice.gates.model.policy import ModelPolicy, Rule


@dataclass(frozen=True)
class Question:
    """Is `gain`, which is good when it is large, at least `need`?

    Attributes:
        rule: name of the demand.
        subject: the metric, and the slice.
        gain: what was seen.
        draws: of the gain, shape [resamples]; empty in point mode.
        need: what is asked for.
        rows: rows it rests on.
        told: what was seen, in words.
        wanted: what is asked for, in words.
        baseline: the value compared with.
        anchor: what is shown is ``anchor[0] + anchor[1] * gain``: the metric itself, or the difference.
        undefined: where the metric has no value: why, and which rows are wanted.
    """

    rule: str
    subject: str
    gain: float
    draws: NDArray[np.floating]
    need: float
    rows: int
    told: str
    wanted: str
    baseline: float | None = None
    anchor: tuple[float, float] = (0.0, 1.0)
    undefined: str = ""


def judge(
    evidence: ModelEvidence, policy: ModelPolicy, *, subjects: dict[str, str],
    splits: dict[str, JudgedRows] | None = None, waivers: Iterable[Waiver] = (),
) -> Verdict:  # fmt: skip
    """Judge a challenger by a policy.

    Args:
        evidence: metrics of challenger, champion and trivial predictor on the same rows.
        policy: the rules.
        subjects: digests of what is judged.
        splits: the rows it is judged on.
        waivers: verified and unexpired waivers; those for this very model turn what they name into warnings.
    """
    reasons = [*_identity(evidence), *_floor(evidence, policy), *_cold_start(evidence, policy)]
    for rule in policy.rules:
        reasons += list(_rule(rule, evidence, policy))
    reasons = [*undecided(reasons, evidence, policy), *unseen(evidence, policy)]
    reasons, facts = waive(reasons, waivers, subjects.get("model", ""))
    bootstrap = evidence.champion is None and any(rule.compares for rule in policy.rules)
    return verdict(
        "model",
        reasons,
        subjects=subjects,
        splits=splits,
        policy=policy,
        baseline=evidence.champion,
        bootstrap=bootstrap,
        evidence={**facts, **comparison(evidence), **({"notes": list(evidence.notes)} if evidence.notes else {})},
    )


def _identity(evidence: ModelEvidence) -> Iterator[Reason]:
    if evidence.identical:
        yield Reason(
            rule="identical", subject="model", outcome=Outcome.FAILED, baseline=evidence.champion,
            sentence=f"the challenger is the champion, version {evidence.champion}, byte for byte: there is nothing to push",
        )  # fmt: skip


def _cold_start(evidence: ModelEvidence, policy: ModelPolicy) -> Iterator[Reason]:
    if evidence.champion is not None:
        return
    outcome, told = {
        "allow": (Outcome.PASSED, "there is no champion yet; the policy lets a first model pass on its own merits"),
        "require_approval": (Outcome.INCONCLUSIVE, "there is no champion yet, and the policy asks for a person's approval of a "
                             "first model: a waiver of the rule bootstrap (sluice waive) gives it"),
        "forbid": (Outcome.FAILED, "there is no champion, and the policy forbids a first model: "
                   "set policies.model.bootstrap to allow one"),
    }[policy.bootstrap]  # fmt: skip
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
    model, trivial, sign = every.challenger[metric], every.trivial[metric], _sign(metric)
    question = Question(
        "floor", metric, sign * (model.value - trivial.value), sign * (model.draws - trivial.draws), policy.floor.margin,
        every.rows, f"{metric} is {model.value:.4f}, that of the best constant {trivial.value:.4f}",
        f"the model must be better by {'more than 0' if not policy.floor.margin else f'at least {policy.floor.margin:g}'}",
        baseline=trivial.value, undefined=undefined(metric, every, every),
    )  # fmt: skip
    reason = _answer(question, policy)
    if reason.outcome is Outcome.PASSED and question.gain <= 0:  # no better is not better, whatever the margin
        reason = reason.model_copy(update={"outcome": Outcome.FAILED})
    if reason.outcome is Outcome.FAILED and len(every.labels) == 1:
        told = f"{reason.sentence}; but all {every.rows:,} rows have one label, so that a constant is never wrong: rows with another one are wanted"
        reason = reason.model_copy(update={"outcome": Outcome.INCONCLUSIVE, "sentence": told})
    yield reason


def _rule(rule: Rule, evidence: ModelEvidence, policy: ModelPolicy) -> Iterator[Reason]:
    if rule.compares and evidence.champion is None:
        return  # the cold start has spoken
    names = [name for group in rule.slices for name in evidence.groups.get(group, ())] if rule.slices else [OVERALL]
    if any(rule.metric not in evidence.slices[name].challenger for name in names):
        yield _undefined(rule.name, rule.metric, OVERALL, evidence.task)
        return
    large = [name for name in names if evidence.slices[name].rows >= policy.min_slice_rows or name == OVERALL]
    if rule.max_gap is None:
        yield from (_tell(rule, _small(rule, name, evidence, policy)) for name in names if name not in large)
        if large == [OVERALL] and not rule.compares:
            yield from _vacuous(rule, evidence.slices[OVERALL])
        ask = _compare if rule.compares else _bound
        questions = {name: ask(rule, name, evidence.slices[name], evidence.slices[OVERALL]) for name in large}
        yield from (_tell(rule, reason) for reason in _answers(questions, policy))
    elif len(large) < 2:
        yield _tell(rule, Reason(rule=rule.name, subject=rule.metric, outcome=Outcome.INCONCLUSIVE, bound=policy.min_slice_rows,
                                 sentence=f"fewer than two slices of {_listed(rule)} have {policy.min_slice_rows} rows"))  # fmt: skip
    else:
        yield _tell(rule, _gap(rule, {name: evidence.slices[name] for name in large}, evidence.slices[OVERALL], policy))


def _small(rule: Rule, name: str, evidence: ModelEvidence, policy: ModelPolicy) -> Reason:
    rows = evidence.slices[name].rows
    return Reason(
        rule=rule.name, subject=_subject(rule.metric, name), outcome=Outcome.INCONCLUSIVE, observed=rows, bound=policy.min_slice_rows,
        sentence=f"{name} has {rows} rows, fewer than the {policy.min_slice_rows} that a judgement needs: "
                 f"{policy.min_slice_rows - rows} more would settle it",
    )  # fmt: skip


def _vacuous(rule: Rule, held: SliceEvidence) -> Iterator[Reason]:
    """A bound that the best constant meets asks nothing of a model."""
    bound, word, side = _limit(rule)
    trivial = held.trivial[rule.metric].value
    if rule.metric not in MET_BY_CONSTANTS and side * (trivial - bound) >= 0:
        yield Reason(
            rule="vacuous_bound", subject=rule.metric, outcome=Outcome.FAILED, observed=_round(trivial), bound=bound,
            sentence=f"the best constant already has {_an(rule.metric)} of {trivial:.4f}, and the policy asks for {word} {bound:g}: "
                     "a model no better than the trivial one would meet it; ask for more",
        )  # fmt: skip


def _bound(rule: Rule, name: str, held: SliceEvidence, every: SliceEvidence) -> Question:
    """Is the metric on the right side of its bound?"""
    bound, word, side = _limit(rule)
    model = held.challenger[rule.metric]
    return Question(
        rule.name, _subject(rule.metric, name), side * (model.value - bound), side * (model.draws - bound), 0.0, held.rows,
        f"{_subject(rule.metric, name)} is {model.value:.4f}", f"{word} {bound:g} is asked for", anchor=(bound, side),
        undefined=undefined(rule.metric, held, every),
    )  # fmt: skip


def _compare(rule: Rule, name: str, held: SliceEvidence, every: SliceEvidence) -> Question:
    """Is the challenger good enough beside the champion?"""
    model, champion, sign = held.challenger[rule.metric], held.champion[rule.metric], _sign(rule.metric)
    gain, draws = sign * (model.value - champion.value), sign * (model.draws - champion.draws)
    if rule.relative:
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = gain / abs(champion.value) if champion.value else math.nan
            draws = draws / np.abs(champion.draws)
    need = -rule.non_inferior_by if rule.non_inferior_by is not None else float(rule.superior_by or 0.0)
    margin = f"{abs(need):.2%} of it" if rule.relative else f"{abs(need):g}"
    allowed = "worse by at most" if rule.non_inferior_by is not None else "better by at least"
    wanted = f"it {'may' if rule.non_inferior_by is not None else 'must'} be {allowed} {margin}"
    of_nothing = rule.relative and not champion.value
    if of_nothing:
        wanted = f"the champion's {rule.metric} is 0, and a relative change of 0 means nothing: use an absolute margin"
    return Question(
        rule.name, _subject(rule.metric, name), gain, draws, need, held.rows,
        f"{_subject(rule.metric, name)} is {model.value:.4f}, the champion's {champion.value:.4f} on the same rows", wanted,
        baseline=champion.value, undefined="" if of_nothing else undefined(rule.metric, held, every),
    )  # fmt: skip


def _gap(rule: Rule, slices: dict[str, SliceEvidence], every: SliceEvidence, policy: ModelPolicy) -> Reason:
    """Are the best and the worst slice close enough? A slice in which the metric has no value may be either."""
    values = {name: held.challenger[rule.metric] for name, held in slices.items()}
    unknown = [name for name in values if not math.isfinite(values[name].value)]
    known = {name: measured for name, measured in values.items() if name not in unknown}
    subject = f"{rule.metric} @ {_listed(rule)}"
    if len(known) > 1:
        low, high = (pick(known, key=lambda name: known[name].value) for pick in (min, max))
        gap, draws = values[high].value - values[low].value, values[high].draws - values[low].draws
        reason = _answer(Question(
            rule.name, subject, -gap, -draws, -float(rule.max_gap or 0.0), min(held.rows for held in slices.values()),
            f"{rule.metric} runs from {values[low].value:.4f} ({low}) to {values[high].value:.4f} ({high})",
            f"a gap of at most {rule.max_gap:g} is allowed", anchor=(0.0, -1.0),
        ), policy)  # fmt: skip
        if not unknown or reason.outcome is Outcome.FAILED:
            return reason
    return Reason(
        rule=rule.name, subject=subject, outcome=Outcome.INCONCLUSIVE, bound=rule.max_gap,
        sentence=f"{_subject(rule.metric, unknown[0])} {undefined(rule.metric, slices[unknown[0]], every)}; "
                 f"a gap of at most {rule.max_gap:g} is allowed",
    )  # fmt: skip


def _answers(questions: dict[str, Question], policy: ModelPolicy) -> Iterator[Reason]:
    """Answer one rule's questions over its slices.

    Among many slices some look bad by chance: a slice fails only if Holm's correction over all of them still finds it
    worse than asked; else it is undecided. Passing needs no correction, as every slice has to pass.
    """
    doubtful = {name: worse(q.draws, q.need) for name, q in questions.items() if len(q.draws) and math.isfinite(q.gain)}
    found = holm(doubtful, (1 - policy.confidence) / 2)
    for name, question in questions.items():
        reason = _answer(question, policy)
        if len(questions) > 1 and reason.outcome is Outcome.FAILED and name in doubtful and name not in found:
            told = f"{reason.sentence}; among {len(questions)} slices one may look so by chance (Holm): {_more(question, policy)}"
            reason = reason.model_copy(update={"outcome": Outcome.INCONCLUSIVE, "sentence": told})
        yield reason


def _answer(question: Question, policy: ModelPolicy) -> Reason:
    """Passed where the interval lies at or above the need, failed where it lies below, undecided between."""

    def shown(value: float) -> float:
        return question.anchor[0] + question.anchor[1] * value

    q = question
    if not math.isfinite(q.gain):
        return Reason(
            rule=q.rule, subject=q.subject, outcome=Outcome.INCONCLUSIVE if q.undefined else Outcome.FAILED,
            baseline=_round(q.baseline), sentence=f"{q.subject} {q.undefined or 'cannot be compared'}; {q.wanted}",
        )  # fmt: skip
    observed, bound = _round(shown(q.gain)), _round(shown(q.need))
    if policy.uncertainty == "point":
        return Reason(rule=q.rule, subject=q.subject, outcome=Outcome.PASSED if q.gain >= q.need else Outcome.FAILED,
                      observed=observed, bound=bound, baseline=_round(q.baseline), sentence=f"{q.told}; {q.wanted}")  # fmt: skip
    low, high = interval(q.draws, policy.confidence)
    outcome = Outcome.PASSED if low >= q.need else Outcome.FAILED if high < q.need else Outcome.INCONCLUSIVE
    left, right = sorted((shown(low), shown(high)))
    what = "" if q.anchor[0] or q.rule == "max_gap" else " of the difference"
    sentence = f"{q.told} ({policy.confidence:.0%} interval{what} {left:.4f} to {right:.4f}); {q.wanted}"
    if outcome is Outcome.INCONCLUSIVE:
        sentence += f"; noise leaves it undecided: {_more(q, policy)}"
    ends = (round(left, 9), round(right, 9)) if math.isfinite(left) and math.isfinite(right) else None
    return Reason(rule=q.rule, subject=q.subject, outcome=outcome, observed=observed, bound=bound, baseline=_round(q.baseline),
                  interval=ends, sentence=sentence)  # fmt: skip


def _more(question: Question, policy: ModelPolicy) -> str:
    low, high = interval(question.draws, policy.confidence)
    return more_rows(question.rows, question.gain - question.need, (high - low) / 2)


def _tell(rule: Rule, reason: Reason) -> Reason:
    if rule.when_inconclusive == "warn" and reason.outcome is Outcome.INCONCLUSIVE:
        return reason.model_copy(update={"severity": Severity.WARNING})
    return reason


def _undefined(rule: str, metric: str, name: str, task: str) -> Reason:
    return Reason(rule=rule, subject=_subject(metric, name), outcome=Outcome.FAILED,
                  sentence=f"{metric} is not a metric of a {task} task; known: {', '.join(TASKS[task])}")  # fmt: skip


def _limit(rule: Rule) -> tuple[float, str, float]:
    """The bound of a value rule, its word, and the side that is good."""
    if rule.at_least is not None:
        return rule.at_least, "at least", 1.0
    return float(rule.at_most or 0.0), "at most", -1.0


def _subject(metric: str, name: str) -> str:
    return f"{metric} @ {name}" if name else metric


def _listed(rule: Rule) -> str:
    return ", ".join(" x ".join(group) for group in rule.slices)


def _an(metric: str) -> str:
    return f"{'an' if metric[0] in 'aeio' else 'a'} {metric}"


def _sign(metric: str) -> float:
    return 1.0 if DIRECTION[metric] is Direction.UP else -1.0


def _round(value: float | None) -> float | None:
    """Nine decimals: what is beyond depends on the order of sums."""
    return None if value is None or not math.isfinite(value) else round(float(value), 9)
