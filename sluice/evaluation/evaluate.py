"""Evaluate: score the challenger and the champion on the same rows, measure, judge, report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sluice import digest
from sluice.evaluation import beam
from sluice.evaluation.evidence import CHALLENGER, CHAMPION, gather
from sluice.evaluation.scoring import Scored, groups_of, score, slices_of
from sluice.examples import row_hashes
from sluice.gates.model.judge import judge
from sluice.gates.verdict import CHAMPION_STATISTICS
from sluice.models import adapter
from sluice.models.manifest import ModelManifest
from sluice.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sluice.evaluation.metrics import Rows
    from sluice.examples.dataset import Examples
    from sluice.gates.model.evidence import ModelEvidence, SeenRows
    from sluice.gates.model.policy import ModelPolicy
    from sluice.gates.verdict import JudgedRows, Verdict

PREDICTIONS = "predictions"
"""Subject of the model gate's verdict: the predictions that it rests on."""


def evaluate(
    examples: Examples, *, model: Path, champion: Path | None, champion_version: int | None, policy: ModelPolicy,
    evaluation_out: Path, report_out: Path, split: str = "eval", champion_statistics: Path | None = None,
) -> tuple[Verdict, Scored]:  # fmt: skip
    """Judge a challenger.

    Args:
        examples: raw examples; their `split` is scored.
        model: folder of the challenger.
        champion: folder of the champion; None where there is none.
        champion_version: its version.
        policy: the rules.
        evaluation_out: folder for the predictions and for TFMA's EvalConfig and MetricsForSlice.
        report_out: HTML file to write.
        split: what is scored.
        champion_statistics: folder of the champion's statistics, with the hashes of the rows it was trained on; None: how
            many of the scored rows it was trained on is not known.

    Returns:
        The verdict, and the predictions it rests on.

    Raises:
        SluiceError: see `sluice.evaluation.scoring.score`.
    """
    identical = champion is not None and digest.of_tree(champion) == digest.of_tree(model)
    challenger = adapter.load(model)
    predictors = {CHALLENGER: challenger}
    if champion is not None:
        predictors[CHAMPION] = challenger if identical else adapter.load(champion)
    scored = score(predictors, examples, split, policy)
    evaluation_out.mkdir(parents=True, exist_ok=True)
    measured = None
    if policy.engine == "tfma" or policy.tfma:
        models = {CHALLENGER: model, **({CHAMPION: champion} if champion else {})}
        beam.analyze(examples, split, models, policy, evaluation_out / "tfma")
        if policy.engine == "tfma":
            measured = beam.evidence(evaluation_out / "tfma", policy, champion=champion_version if champion else None)
            measured = replace(measured, identical=identical)
    subjects = {"model": digest.of_tree(model), "examples": examples.manifest.digest}
    if champion and champion_statistics:
        subjects[CHAMPION_STATISTICS] = digest.of_tree(champion_statistics)
    verdict = assess(scored, policy, subjects, champion_version if champion else None, identical=identical,
                     splits={split: examples.judged(split)}, evaluation_out=evaluation_out, report_out=report_out, measured=measured,
                     seen=row_hashes.count(examples, split, champion_statistics) if champion else None,
                     notes=[*examples.manifest.notes(), *_of_training(model)])  # fmt: skip
    return verdict, scored


def _of_training(model: Path) -> list[str]:
    """What is worth knowing of the candidate's training; nothing where no manifest says."""
    return list(ModelManifest.load(model).training.get("notes", []))


def assess(
    scored: Scored, policy: ModelPolicy, subjects: dict[str, str], champion: int | None, *, splits: dict[str, JudgedRows],
    evaluation_out: Path, report_out: Path, identical: bool = False, now: datetime | None = None, measured: ModelEvidence | None = None,
    seen: SeenRows | None = None, notes: Sequence[str] = (),
) -> Verdict:  # fmt: skip
    """Judge from predictions.

    Args:
        scored: what the models predicted.
        policy: the rules.
        subjects: digests of what is judged; where ``predictions`` is not among them, it is the file that is written here.
        champion: the champion's version, or None.
        splits: the rows that are judged: a split of the examples, or ``predictions`` for a file of them.
        evaluation_out: as for `evaluate`.
        report_out: as for `evaluate`.
        identical: whether challenger and champion are the same bytes.
        now: the time that waivers are held against; None: the clock's.
        measured: evidence that another engine has gathered; None: it is gathered here.
        seen: the rows that the champion was trained on; None without a champion, or where nobody counted.
        notes: what is worth knowing of the rows.
    """
    from sluice.evaluation import tfma
    from sluice.evaluation.waivers import valid
    from sluice.report.model import write

    slices = slices_of(scored.table, policy)
    progress(f"measuring {len(slices.rows):,} slices, {policy.resamples:,} resamples")
    evidence = measured or gather(scored.models, slices, policy, scored.task, champion=champion, identical=identical,
                      groups=groups_of(scored.table, policy))  # fmt: skip
    evidence = replace(evidence, seen=seen, notes=tuple(notes))
    evaluation_out.mkdir(parents=True, exist_ok=True)
    tfma.save(evaluation_out, evidence, scored.label, policy)
    predictions = _save_predictions(evaluation_out, scored.table, scored.models)
    subjects = {PREDICTIONS: digest.of_file(predictions), **subjects}
    verdict = judge(evidence, policy, subjects=subjects, splits=splits, waivers=valid(policy, now or datetime.now(UTC)))
    write(report_out, verdict, evidence, scored, policy)
    return verdict


def _save_predictions(out: Path, table: object, models: dict[str, Rows]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, rows in models.items():
        table = table.append_column(f"prediction_{name}", pa.array(rows.prediction.tolist()))  # type: ignore[attr-defined]
    pq.write_table(table, out / f"{PREDICTIONS}.parquet")
    return out / f"{PREDICTIONS}.parquet"
