"""The model report: the verdict in words, champion against challenger, curves, tables, slices sorted by harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sluice.evaluation.curves import confusion, precision_recall, reliability, roc, roc_band, threshold_table
from sluice.gates.model.evidence import OVERALL
from sluice.gates.model.metrics import DIRECTION, Direction
from sluice.report.page import page, render, save

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sluice.evaluation.metrics import Rows
    from sluice.evaluation.scoring import Scored
    from sluice.gates.model.evidence import ModelEvidence, SliceEvidence
    from sluice.gates.model.policy import ModelPolicy
    from sluice.gates.verdict import Verdict

    Array = NDArray[np.floating]

TABLE = """<table><tr>{% for head in heads %}<th {% if not loop.first %}class="n"{% endif %}>{{ head }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td {% if not loop.first %}class="n"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>"""

CURVES = """<div class="grid">{% for title, x, y, lines in charts %}<figure><figcaption>{{ title }}</figcaption>
<svg viewBox="-30 -6 262 240" role="img" aria-label="{{ title }}"><rect width="200" height="200" fill="none" stroke="var(--line)"/>
{% for colour, points, band in lines %}{% if band %}<polygon fill="var(--{{ colour }})" opacity=".18" points="{{ band }}"/>{% endif %}
<polyline fill="none" stroke="var(--{{ colour }})" stroke-width="2" points="{{ points }}"/>{% endfor %}
<text x="100" y="222" text-anchor="middle" font-size="10" fill="var(--dim)">{{ x }}</text>
<text x="-8" y="100" text-anchor="middle" font-size="10" fill="var(--dim)" transform="rotate(-90 -8 100)">{{ y }}</text></svg></figure>
{% endfor %}</div><p class="dim">Blue: the challenger. Grey: the champion. Bands: 95 % at each point.</p>"""

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def write(path: Path, verdict: Verdict, evidence: ModelEvidence, scored: Scored, policy: ModelPolicy) -> None:
    """Write the report as one HTML file."""
    every = evidence.slices[OVERALL]
    overall = [[name, *_row(every, name)] for name in every.challenger]
    heads = ["metric", "challenger", "champion", "best constant"]
    sections = [("All rows", render(TABLE, heads=heads, rows=overall))]
    if evidence.task == "binary":
        challenger = scored.models["challenger"]
        sections.append(("Curves", render(CURVES, charts=_curves(scored.models))))
        matrix = [
            [f"label {label}", *(f"{count:,}" for count in row)]
            for label, row in enumerate(confusion(challenger, policy.threshold))
        ]
        heads_of = ["", f"answer 0 (up to {policy.threshold:g})", f"answer 1 (above {policy.threshold:g})"]
        sections.append(("Confusion of the challenger", render(TABLE, heads=heads_of, rows=matrix)))
        table = [
            [f"{t:g}", f"{p:.4f}", f"{r:.4f}", f"{share:.2%}"]
            for t, p, r, share in threshold_table(challenger, THRESHOLDS)
        ]
        sections.append(
            (
                "Thresholds of the challenger",
                render(TABLE, heads=["above", "precision", "recall", "answered 1"], rows=table),
            )
        )
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


def _curves(models: dict[str, Rows]) -> list[tuple[str, str, str, list[tuple[str, str, str]]]]:
    order = [(models[name], colour) for name, colour in (("champion", "then"), ("challenger", "now")) if name in models]
    return [
        ("ROC", "false positive rate", "true positive rate", [(colour, *_roc(rows)) for rows, colour in order]),
        (
            "Precision and recall",
            "recall",
            "precision",
            [(colour, _line(*precision_recall(rows)), "") for rows, colour in order],
        ),
        (
            "Reliability",
            "predicted probability",
            "observed rate",
            [(colour, *_reliability(rows)) for rows, colour in order],
        ),
    ]


def _roc(rows: Rows) -> tuple[str, str]:
    x, y, _ = roc(rows)
    return _line(x, y), _band(x, *roc_band(rows))


def _reliability(rows: Rows) -> tuple[str, str]:
    x, y, low, high = (np.array(column) for column in zip(*reliability(rows), strict=True))
    return _line(x, y), _band(x, low, high)


def _line(x: Array, y: Array) -> str:
    return " ".join(f"{200 * a:.1f},{200 - 200 * b:.1f}" for a, b in zip(x, y, strict=True))


def _band(x: Array, low: Array, high: Array) -> str:
    """A polygon along the upper and back along the lower end."""
    return f"{_line(x, high)} {_line(x[::-1], low[::-1])}"
