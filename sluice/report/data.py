"""The data report: old against new distribution of every feature, those that moved most first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.report.page import page, render, save
from sluice.statistics.artifact import common_of, name_of

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.gates.data.evidence import DataEvidence, Distribution
    from sluice.gates.verdict import Verdict
    from sluice.statistics.artifact import SplitStatistics

MAX_BARS = 24
MOVED = ("drift", "label_shift")
"""Rules whose reasons say how far a distribution has moved."""

ROWS = """<table>{% for name, rows in rows %}<tr><th>{{ name }}</th><td class="n">{{ rows }}</td></tr>{% endfor %}</table>
{% if notes %}<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>{% endif %}"""

BARS = """<div class="grid">{% for d in charts %}<figure><figcaption>{{ d.name }} <span class="dim">{{ d.note }}</span></figcaption>
<svg viewBox="0 0 300 80" role="img" aria-label="{{ d.name }}">
{% for x, width, then, now in d.bars %}<rect x="{{ x }}" y="{{ 78 - then }}" width="{{ width }}" height="{{ then }}" fill="var(--then)"/>
<rect x="{{ x + width / 4 }}" y="{{ 78 - now }}" width="{{ width / 2 }}" height="{{ now }}" fill="var(--now)"/>{% endfor %}
<line x1="0" x2="300" y1="78.5" y2="78.5" stroke="var(--line)"/></svg></figure>{% endfor %}</div>
{% if compared %}<p class="dim">Blue: this data. Grey: the champion's training data. Numbers in quantile bins of the
champion's data, categories by value, the missing last.</p>{% endif %}"""

FACTS = """<table><tr><th>column</th><th class="n">missing</th><th class="n">distinct</th><th class="n">min</th><th class="n">median</th>
<th class="n">mean</th><th class="n">max</th></tr>
{% for row in rows %}<tr>{% for cell in row %}<td {% if not loop.first %}class="n"{% endif %}>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>"""


def write(path: Path, verdict: Verdict, evidence: DataEvidence, statistics: SplitStatistics) -> None:
    """Write the report as one HTML file; a feature's divergence is the one that the verdict was based on."""
    judged = {
        r.subject: float(r.observed) for r in verdict.reasons if r.rule in MOVED and isinstance(r.observed, float | int)
    }
    moved = sorted(evidence.distributions, key=lambda d: (-judged.get(d.feature, 0.0), d.feature))
    charts = [_chart(d, f"moved by {judged[d.feature]:.4f}" if d.feature in judged else "") for d in moved]
    compared = bool(charts)
    if not compared:
        charts = [
            {"name": name, "note": "", "bars": _bars((*h.counts, h.missing), None)}
            for name, h in statistics.histograms.items()
        ]
    sections = [
        ("Rows", render(ROWS, rows=_rows(evidence), notes=evidence.notes)),
        ("Distributions", render(BARS, charts=charts, compared=compared)),
        ("Columns of the train split", render(FACTS, rows=_facts(statistics))),
    ]
    save(path, page("Data", sections, verdict))


def _rows(evidence: DataEvidence) -> list[tuple[str, str]]:
    """What was read, and what became of it."""
    told = [("read", evidence.rows_in), *evidence.rows.items(), ("quarantined", evidence.quarantined)]
    return [(name, f"{rows:,}") for name, rows in [*told, ("left out", evidence.left_out)]]


def _chart(distribution: Distribution, note: str) -> dict[str, object]:
    return {"name": distribution.feature, "note": note, "bars": _bars(distribution.current, distribution.baseline)}


def _bars(now: tuple[int, ...], then: tuple[int, ...] | None) -> list[tuple[float, float, float, float]]:
    """Rectangles of a chart of 300 by 80: x, width, height then, height now. Many categories: the largest only."""
    before = then or (0,) * len(now)
    shares = [(b / max(1, sum(before)), n / max(1, sum(now))) for b, n in zip(before, now, strict=True)]
    if len(shares) > MAX_BARS:
        shares = sorted(shares, key=max, reverse=True)[:MAX_BARS]
    top, step = max(max(pair) for pair in shares) or 1.0, 300 / len(shares)
    return [
        (round(i * step, 1), round(step * 0.85, 1), round(70 * b / top, 1), round(70 * n / top, 1))
        for i, (b, n) in enumerate(shares)
    ]


def _facts(statistics: SplitStatistics) -> list[list[str]]:
    rows = []
    for feature in statistics.proto.features:
        text, number = feature.HasField("string_stats"), feature.num_stats
        common = common_of(feature)
        total = common.num_missing + common.num_non_missing
        rows.append([
            name_of(feature), f"{common.num_missing / max(1, total):.1%}",
            f"{feature.string_stats.unique:,}" if text else "",
            *("" if text else f"{value:,.4g}" for value in (number.min, number.median, number.mean, number.max)),
        ])  # fmt: skip
    return rows
