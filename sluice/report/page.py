"""The page that every report stands on: one self-contained HTML file, no script, no network, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.gates.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sluice.gates.verdict import Verdict

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --ink: light-dark(#1c2330, #e6e9ef); --paper: light-dark(#fff, #14181f);
  --dim: light-dark(#667085, #98a2b3); --line: light-dark(#e4e7ec, #2a313c); --now: light-dark(#2563eb, #6ea1ff);
  --then: light-dark(#b8bfca, #59616e); --good: light-dark(#15803d, #4ade80); --bad: light-dark(#b91c1c, #f87171);
  --warn: light-dark(#a16207, #facc15); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; } .dim { color: var(--dim); }
.BLESSED, .passed { color: var(--good); } .NOT_BLESSED, .failed { color: var(--bad); }
.INCONCLUSIVE, .warning, .inconclusive { color: var(--warn); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; } th { color: var(--dim); font-weight: 500; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1.2rem; }
figure { margin: 0; } figcaption { margin-bottom: .2rem; } svg { width: 100%; height: auto; }
summary { cursor: pointer; color: var(--dim); margin-top: 1rem; }
</style></head><body>
<h1>{{ title }}</h1>
{% if verdict %}<p><strong class="{{ verdict.status }}">{{ verdict.status }}</strong>
<span class="dim">{{ verdict.gate }} gate; {{ against }}</span></p>
{% if told %}<table><tr><th>rule</th><th>subject</th><th></th></tr>
{% for reason in told %}<tr><td class="{{ 'failed' if reason.closes else 'warning' }}">{{ reason.rule }}</td>
<td>{{ reason.subject }}</td><td>{{ reason.sentence }}</td></tr>{% endfor %}</table>{% endif %}
<details><summary>{{ passed | length }} rules passed</summary><table>
{% for reason in passed %}<tr><td class="passed">{{ reason.rule }}</td><td>{{ reason.subject }}</td><td>{{ reason.sentence }}</td></tr>
{% endfor %}</table></details>{% endif %}
{% for heading, body in sections %}<h2>{{ heading }}</h2>{{ body | safe }}{% endfor %}
</body></html>
"""


def render(template: str, **values: Any) -> str:
    """Fill a Jinja2 template; values are escaped."""
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined).from_string(template).render(**values)


def page(title: str, sections: Sequence[tuple[str, str]], verdict: Verdict | None = None) -> str:
    """A whole page.

    Args:
        title: of the page.
        sections: headings and their HTML, made with `render`.
        verdict: told in words on top.
    """
    reasons = verdict.reasons if verdict else ()
    against = "no champion yet"
    if verdict and verdict.baseline is not None:
        against = f"against champion {verdict.baseline}" if verdict.baseline else "against the baseline given"
    return render(
        TEMPLATE, against=against, title=title, sections=sections, verdict=verdict,
        told=[r for r in reasons if r.outcome is not Outcome.PASSED],
        passed=[r for r in reasons if r.outcome is Outcome.PASSED],
    )  # fmt: skip


def save(path: Path, html: str) -> None:
    """Write a report under the path that KFP gave."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")
