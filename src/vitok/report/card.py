"""The model card in its short form: what it is, how good it is, what it was judged by."""

from typing import Any

from jinja2 import Environment, StrictUndefined

_MARKDOWN = """\
# {{ card.project }}, version {{ card.version }}: {{ card.verdict }}

{{ card.goal }}

| | |
|---|---|
| Task | {{ card.task }}, target `{{ card.target }}` |
| Algorithm | {{ card.algorithm }} |
| Data | {{ card.data.rows }} labelled rows{% if card.data.start %}, {{ card.data.start[:10] }} to {{ card.data.end[:10] }}{% endif %}, version {{ card.data.table_version }}, digest `{{ card.data.digest[:12] }}` |
| Judged on | {{ card.test_rows }} rows that it never saw |
| Bundle | `{{ card.digest }}` |
| Charter | {% if card.charter_version is not none %}version {{ card.charter_version }}, {% endif %}`{{ card.charter[:12] }}` |
| Created | {{ card.created }} |
{% if card.threshold is not none %}| Threshold | {{ "%.4g" | format(card.threshold) }} |
{% endif %}
## Gates

| | rule | why |
|---|---|---|
{% for gate in card.gates %}| {{ "passed" if gate.passed else "**failed**" }} | `{{ gate.name }}` | {{ gate.reason }} |
{% endfor %}{% if card.revised %}
**Revised after seeing a result.** The criteria of this version are not those that stood before the first verdict:

{% for sentence in card.revised %}- {{ sentence }}
{% endfor %}{% endif %}
## Figures on the test rows (90 % intervals)

| metric | value | from | to |
|---|---|---|---|
{% for name, found in card.metrics.items() %}| {{ name }} | {{ "%.4g" | format(found.value) }} | {{ "%.4g" | format(found.low) }} | {{ "%.4g" | format(found.high) }} |
{% endfor %}
## Inputs

| input | kind | may be missing | example |
|---|---|---|---|
{% for field in card.inputs %}| {{ field.name }} | {{ field.kind }} | {{ "yes" if field.nullable else "no" }} | {{ field.example }} |
{% endfor %}
Not assessed: fairness between groups, robustness, explanations.
"""

_HTML = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ card.project }} {{ card.version }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1f; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d5d5dd; vertical-align: top }
code { font-size: .9em; word-break: break-all } .failed { color: #a3001b; font-weight: 600 } .passed { color: #0a6b2d }
@media (prefers-color-scheme: dark) { body { color: #eaeaf0; background: #15151a } th, td { border-color: #3a3a44 } .failed { color: #ff8a95 } .passed { color: #7fd89b } }
</style>
<h1>{{ card.project }}, version {{ card.version }}: <span class="{{ 'passed' if card.verdict == 'accepted' else 'failed' }}">{{ card.verdict }}</span></h1>
<p>{{ card.goal }}</p>
<table>
<tr><th>Task</th><td>{{ card.task }}, target <code>{{ card.target }}</code></td></tr>
<tr><th>Algorithm</th><td>{{ card.algorithm }}</td></tr>
<tr><th>Data</th><td>{{ card.data.rows }} labelled rows{% if card.data.start %}, {{ card.data.start[:10] }} to {{ card.data.end[:10] }}{% endif %}, version {{ card.data.table_version }}</td></tr>
<tr><th>Judged on</th><td>{{ card.test_rows }} rows that it never saw</td></tr>
<tr><th>Bundle</th><td><code>{{ card.digest }}</code></td></tr>
<tr><th>Charter</th><td>{% if card.charter_version is not none %}version {{ card.charter_version }}, {% endif %}<code>{{ card.charter[:12] }}</code></td></tr>
<tr><th>Created</th><td>{{ card.created }}</td></tr>
</table>
<h2>Gates</h2>
<table><tr><th></th><th>rule</th><th>why</th></tr>
{% for gate in card.gates %}<tr><td class="{{ 'passed' if gate.passed else 'failed' }}">{{ "passed" if gate.passed else "failed" }}</td><td><code>{{ gate.name }}</code></td><td>{{ gate.reason }}</td></tr>
{% endfor %}</table>
{% if card.revised %}<p class="failed">Revised after seeing a result: the criteria of this version are not those that stood before the first verdict.</p>
<ul>
{% for sentence in card.revised %}<li>{{ sentence }}</li>
{% endfor %}</ul>
{% endif %}<h2>Figures on the test rows (90 % intervals)</h2>
<table><tr><th>metric</th><th>value</th><th>from</th><th>to</th></tr>
{% for name, found in card.metrics.items() %}<tr><td>{{ name }}</td><td>{{ "%.4g" | format(found.value) }}</td><td>{{ "%.4g" | format(found.low) }}</td><td>{{ "%.4g" | format(found.high) }}</td></tr>
{% endfor %}</table>
<h2>Inputs</h2>
<table><tr><th>input</th><th>kind</th><th>may be missing</th><th>example</th></tr>
{% for field in card.inputs %}<tr><td>{{ field.name }}</td><td>{{ field.kind }}</td><td>{{ "yes" if field.nullable else "no" }}</td><td>{{ field.example }}</td></tr>
{% endfor %}</table>
<p>Not assessed: fairness between groups, robustness, explanations.</p>
</html>
"""


def card_markdown(card: dict[str, Any]) -> str:
    """The card as Markdown.

    Args:
        card: As `vitok card --format json` prints it.
    """
    # Cells are data: a bar in one would break its table.
    environment = Environment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=_cell
    )
    return environment.from_string(_MARKDOWN).render(card=card)


def _cell(value: Any) -> Any:
    return value.replace("|", "\\|").replace("\n", " ") if isinstance(value, str) else value


def card_html(card: dict[str, Any]) -> str:
    """The card as one self-contained page; everything in it is escaped."""
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    return environment.from_string(_HTML).render(card=card)
