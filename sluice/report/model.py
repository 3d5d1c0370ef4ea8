"""The model report: the verdict in words, champion against challenger, slices sorted by harm, ROC and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.gates.model.evidence import OVERALL
from sluice.gates.model.metrics import DIRECTION, Direction
from sluice.report.page import page, render, save

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.evaluation.metrics import Rows
    from sluice.gates.model.evidence import ModelEvidence, SliceEvidence
    from sluice.gates.verdict import Verdict

TABLE = """<table><tr>{% for head in heads %}<th {% if not loop.first %}class="n"{% endif %}>{{ head }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td {% if not loop.first %}class="n"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>"""

CURVES = """<div class="grid">{% for title, x, y, lines in charts %}<figure><figcaption>{{ title }}</figcaption>
<svg viewBox="-30 -6 262 240" role="img" aria-label="{{ title }}"><rect width="200" height="200" fill="none" stroke="var(--line)"/>
<line x1="0" y1="200" x2="200" y2="0" stroke="var(--line)" stroke-dasharray="3"/>
{% for colour, points in lines %}<polyline fill="none" stroke="var(--{{ colour }})" stroke-width="2" points="{{ points }}"/>{% endfor %}
<text x="100" y="222" text-anchor="middle" font-size="10" fill="var(--dim)">{{ x }}</text>
<text x="-8" y="100" text-anchor="middle" font-size="10" fill="var(--dim)" transform="rotate(-90 -8 100)">{{ y }}</text></svg></figure>
{% endfor %}</div><p class="dim">Blue: the challenger. Grey: the champion.</p>"""


def write(path: Path, verdict: Verdict, evidence: ModelEvidence, models: dict[str, Rows]) -> None:
    """Write the report as one HTML file."""
    every = evidence.slices[OVERALL]
    overall = [[name, *_row(every, name)] for name in every.challenger]
    heads = ["metric", "challenger", "champion", "best constant"]
    sections = [("All rows", render(TABLE, heads=heads, rows=overall))]
    if evidence.task == "binary":
        sections.append(("Curves", render(CURVES, charts=_curves(models))))
    if evidence.groups:
        metric = next(iter(every.challenger))
        listed = sorted(
            (n for group in evidence.groups.values() for n in group), key=lambda n: _harm(evidence.slices[n], metric)
        )
        rows = [[name, f"{evidence.slices[name].rows:,}", *_row(evidence.slices[name], metric)] for name in listed]
        sections.append(
            (
                f"Slices by {metric}, the most harmed first",
                render(TABLE, heads=["slice", "rows", *heads[1:]], rows=rows),
            )
        )
    save(path, page("Model", sections, verdict))


def _row(held: SliceEvidence, metric: str) -> list[str]:
    sets = (held.challenger, held.champion, held.trivial)
    return [f"{measured[metric].value:.4f}" if metric in measured else "" for measured in sets]


def _harm(held: SliceEvidence, metric: str) -> float:
    """How much better the challenger is than the champion (than nothing, where there is none): the least first."""
    sign = 1.0 if DIRECTION[metric] is Direction.UP else -1.0
    value = held.challenger[metric].value - (held.champion[metric].value if held.champion else 0.0)
    return sign * value if np.isfinite(value) else np.inf


def _curves(models: dict[str, Rows]) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    order = [(name, colour) for name, colour in (("champion", "then"), ("challenger", "now")) if name in models]
    return [
        ("ROC", "false positive rate", "true positive rate", [(colour, _roc(models[name])) for name, colour in order]),
        (
            "Reliability",
            "predicted probability",
            "observed rate",
            [(colour, _reliability(models[name])) for name, colour in order],
        ),
    ]


def _roc(rows: Rows) -> str:
    ranked = rows.label[np.argsort(-rows.prediction, kind="stable")]
    ups, downs = np.cumsum(ranked), np.cumsum(1 - ranked)
    picked = np.unique(np.linspace(0, len(ranked) - 1, 120).astype(int))
    return "0,200 " + " ".join(
        f"{200 * downs[i] / max(1, downs[-1]):.1f},{200 - 200 * ups[i] / max(1, ups[-1]):.1f}" for i in picked
    )


def _reliability(rows: Rows) -> str:
    """Observed rate over predicted probability in ten bins of equal count."""
    order = np.argsort(rows.prediction, kind="stable")
    points = [
        (rows.prediction[part].mean(), rows.label[part].mean()) for part in np.array_split(order, 10) if len(part)
    ]
    return " ".join(f"{200 * x:.1f},{200 - 200 * y:.1f}" for x, y in points)
