"""The training report: the learning curve, and how the model was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.report.page import page, render, save

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.models.manifest import ModelManifest
    from sluice.training.contract import Curve

CURVE = """<svg viewBox="-40 -8 660 220" role="img" aria-label="learning curve">
{% for y, text in ticks %}<line x1="0" x2="600" y1="{{ y }}" y2="{{ y }}" stroke="var(--line)"/>
<text x="-6" y="{{ y + 4 }}" text-anchor="end" font-size="10" fill="var(--dim)">{{ text }}</text>{% endfor %}
{% for name, colour, points in lines %}<polyline fill="none" stroke="{{ colour }}" stroke-width="2" points="{{ points }}"><title>{{ name }}</title></polyline>
<text x="{{ 150 * loop.index0 }}" y="210" font-size="10" fill="{{ colour }}">{{ name }}</text>{% endfor %}
<line x1="{{ kept }}" x2="{{ kept }}" y1="0" y2="190" stroke="var(--dim)" stroke-dasharray="2 4"/>
<text x="600" y="210" text-anchor="end" font-size="10" fill="var(--dim)">{{ steps }} steps</text></svg>"""

NOTES = """{% if notes %}<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>{% endif %}"""
LIMITS = {"steps": "steps, at most", "epochs": "epochs, at most", "min_steps": "steps, at least"}
"""What the trainer was told, beside ``steps_trained``, which is what it did."""

FACTS = """<table>{% for name, value in rows %}<tr><th>{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}</table>"""


def write(path: Path, manifest: ModelManifest, curve: Curve | None) -> None:
    """Write the report as one HTML file."""
    training = {LIMITS.get(name, name): value for name, value in manifest.training.items() if name != "notes"}
    facts = [*training.items(), ("features", ", ".join(manifest.features)), *manifest.libraries.items()]
    sections = [("Learning curve", drawn(curve) + render(NOTES, notes=curve.notes))] if curve and curve.steps else []
    save(path, page("Training", [*sections, ("How it was made", render(FACTS, rows=facts))]))


def drawn(curve: Curve) -> str:
    """A learning curve as SVG: training loss, loss on the rows held back, and where the weights were kept."""
    low, high = min([*curve.loss, *curve.validation]), max([*curve.loss, *curve.validation])
    room = (high - low) or 1.0

    def points(values: list[float]) -> str:
        return " ".join(
            f"{600 * step / curve.steps[-1]:.1f},{190 * (high - loss) / room:.1f}"
            for step, loss in zip(curve.steps, values, strict=True)
        )

    lines = [("training loss", "var(--now)", points(curve.loss))]
    if curve.validation:
        lines.append(("loss on rows held back", "var(--warn)", points(curve.validation)))
    ticks = [(190 * part / 4, f"{high - room * part / 4:.3f}") for part in range(5)]
    kept = f"{600 * curve.kept / curve.steps[-1]:.1f}"
    return render(CURVE, ticks=ticks, lines=lines, kept=kept, steps=f"{curve.steps[-1]:,}")
