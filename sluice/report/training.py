"""The training report: the learning curve, and how the model was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.report.page import page, render, save

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.models.manifest import ModelManifest
    from sluice.training.keras import Curve

CURVE = """<svg viewBox="-40 -8 660 220" role="img" aria-label="learning curve">
{% for y, text in ticks %}<line x1="0" x2="600" y1="{{ y }}" y2="{{ y }}" stroke="var(--line)"/>
<text x="-6" y="{{ y + 4 }}" text-anchor="end" font-size="10" fill="var(--dim)">{{ text }}</text>{% endfor %}
<polyline fill="none" stroke="var(--now)" stroke-width="2" points="{{ points }}"/>
<text x="600" y="210" text-anchor="end" font-size="10" fill="var(--dim)">{{ steps }} steps</text></svg>"""

FACTS = """<table>{% for name, value in rows %}<tr><th>{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}</table>"""


def write(path: Path, manifest: ModelManifest, curve: Curve) -> None:
    """Write the report as one HTML file."""
    low, high = min(curve.loss), max(curve.loss)
    room = (high - low) or 1.0
    points = " ".join(
        f"{600 * step / curve.steps[-1]:.1f},{190 * (high - loss) / room:.1f}"
        for step, loss in zip(curve.steps, curve.loss, strict=True)
    )
    ticks = [(190 * part / 4, f"{high - room * part / 4:.3f}") for part in range(5)]
    facts = [*manifest.training.items(), ("features", ", ".join(manifest.features)), *manifest.libraries.items()]
    save(path, page("Training", [
        ("Training loss", render(CURVE, ticks=ticks, points=points, steps=f"{curve.steps[-1]:,}")),
        ("How it was made", render(FACTS, rows=facts)),
    ]))  # fmt: skip
