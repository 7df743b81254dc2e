"""The page of drift: what moved in words, the ranking, and the pictures, in one file that asks no host for anything."""

import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vitok.report.drift_charts import absence_chart, drift_caption, feature_chart
from vitok.report.drift_quality_charts import quality_chart, segments_chart

_AGAINST = {
    "reference": "the reference that the version was trained on",
    "previous": "the same length of time before",
    "week": "the same weekdays before",
    "year": "the same days of the year before",
}
_HTML = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ d.project }}: drift</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1b1b1f; background: #fff }
h1, h2, h3 { line-height: 1.25 } h2 { margin-top: 2.5rem } h3 { margin-bottom: .3rem }
.wide { overflow-x: auto } .note { color: #55555f } .moved { color: #a3001b; font-weight: 600 }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .25rem .45rem; border-bottom: 1px solid #d5d5dd; white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 7rem }
figure { margin: .5rem 0 1.5rem; background: #fff; border-radius: 6px; overflow-x: auto }
figure svg { max-width: 100%; height: auto; min-width: 44rem; display: block }
li, p { overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) {
  body { color: #eaeaf0; background: #15151a } th, td { border-color: #3a3a44 }
  .note { color: #a5a5b2 } .moved { color: #ff8a95 }
}
</style>
<h1>{{ d.project }}: what moved</h1>
<p>{{ d.window.start | moment }} to {{ d.window.end | moment }}, {{ d.window.windows }}
window{{ "" if d.window.windows == 1 else "s" }}, {{ "{:,}".format(d.window.rows) }} rows of version
{{ d.window.version }}{% if d.window.slice %}, only <code>{{ d.window.slice }}</code>{% endif %}; against {{ against }}
({{ "{:,}".format(d.against.rows) }} rows{% for span in d.against.spans %}{{ ", " if loop.index > 1 else ": " }}
{{- span.start | moment }} to {{ span.end | moment }}{% endfor %}).</p>
{% if d.moved %}<ul>
{% for sentence in d.moved %}<li>{{ sentence }}</li>
{% endfor %}</ul>
{% else %}<p>None of {{ d.columns }} columns moved.</p>
{% endif %}{% for note in d.notes %}<p class="note">{{ note }}</p>
{% endfor %}<h2>Ranking</h2>
<div class="wide"><table>
<tr><th>column</th><th>verdict</th><th>since</th><th>of late</th>{% if importance %}<th>importance</th>{% endif %}
<th>PSI</th><th>90 %</th><th>usual</th><th>beyond</th><th>missing then</th><th>now</th><th>unseen</th>
<th>KS</th><th>JS</th><th>KL</th><th>Hellinger</th><th>Wasserstein</th><th>chi-square p</th></tr>
{% for line in d.ranking %}<tr><td>{{ line.feature }}</td>
<td{% if line.moved %} class="moved"{% endif %}>{{ line.status }}</td><td>{{ (line.since or "-")[:10] }}</td>
<td>{{ line.moved_windows }} of {{ line.judged_windows }}</td>
{% if importance %}<td>{{ "-" if line.importance is none else "%.4f" | format(line.importance) }}</td>{% endif %}
<td>{{ line.psi | value }}</td><td>{{ line.psi | interval }}</td><td>{{ line.usual | figure }}</td>
<td>{{ line.beyond_usual | truth }}</td><td>{{ line.missing_then | share }}</td><td>{{ line.missing_now | share }}</td>
<td>{{ line.unseen_now | share }}</td><td>{{ line.ks | value }}</td><td>{{ line.js | value }}</td>
<td>{{ line.kl | value }}</td><td>{{ line.hellinger | value }}</td><td>{{ line.wasserstein | value }}</td>
<td>{{ line.chi_square_p | figure }}</td></tr>
{% endfor %}</table></div>
<p class="note">Intervals are 90 %. Since: off the reference in every window from then on. Of late: how many of the last
windows were. Chi-square knows nothing of how much: with many rows everything is significant.</p>
<h2>Distributions through time</h2>
<p class="note">{{ caption }} Line: PSI of each column of time, a dot where windows of it had moved, broken: what
matters.</p>
{% for name, picture in features %}<h3>{{ name }}</h3>
<figure>{{ picture }}</figure>
{% endfor %}<h2>Missing and new values</h2>
{% for picture in absent %}<figure>{{ picture }}</figure>
{% else %}<p>Next to none in the columns that are shown.</p>
{% endfor %}<h2>Quality</h2>
{% if quality %}<figure>{{ quality }}</figure>
<p class="note">Estimates are made from scores alone, before labels come; they are blind to a change of what inputs
mean, and no ground for a release.</p>
{% else %}<p>No window has been measured yet: outcomes have not come, or nobody watched (<code>vitok watch</code>).</p>
{% endif %}{% if d.quality_against %}{% for sentence in d.quality_against.sentences %}<p>{{ sentence }}</p>
{% endfor %}{% endif %}{% if segments %}<figure>{{ segments }}</figure>
{% else %}<p>{{ d.history.segments.why }}</p>
{% endif %}<h2>Alerts</h2>
{% for alert in d.history.alerts %}<p><strong>{{ alert.severity }}</strong> ({{ alert.kind }})
{{ alert.opened | moment }}, {% if alert.resolved %}ended {{ alert.resolved | moment }}{% else %}open{% endif %}:
{{ alert.sentence }}</p>
{% else %}<p>None in this time.</p>
{% endfor %}</html>
"""


def drift_page(payload: Mapping[str, Any], svg: Callable[[dict[str, Any]], str]) -> str:
    """The page; whatever stands in names and levels is escaped.

    Args:
        payload: What `vitok drift --json` prints.
        svg: Draws a specification.
    """
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    environment.filters |= {
        "moment": lambda text: text[:16].replace("T", " ").removesuffix(" 00:00"),
        "figure": lambda number: "-" if number is None else f"{number:.3g}",
        "value": lambda found: "-" if found is None else f"{found['value']:.3f}",
        "interval": lambda found: "-" if found is None else f"{found['low']:.2f} to {found['high']:.2f}",
        "share": lambda number: "-" if number is None else f"{number:.1%}",
        "truth": lambda found: "-" if found is None else "yes" if found else "no",
    }
    history, draw = payload["history"], _Drawing(svg)
    absent = (absence_chart(kind, history) for kind in ("missing", "unseen"))
    return environment.from_string(_HTML).render(
        d=payload,
        against=_AGAINST[payload["against"]["what"]],
        importance=any(line["importance"] is not None for line in payload["ranking"]),
        caption=drift_caption(payload),
        features=[
            (name, draw(feature_chart(name, payload, legend=place == 0)))
            for place, name in enumerate(history["features"])
        ],
        absent=[draw(spec) for spec in absent if spec is not None],
        quality=draw(quality_chart(history)),
        segments=draw(segments_chart(history)),
    )


class _Drawing:
    """Draws pictures whose inner names are their own, so that none uses the shades of another one."""

    def __init__(self, svg: Callable[[dict[str, Any]], str]) -> None:
        self._svg, self._numbers = svg, count()

    def __call__(self, spec: dict[str, Any] | None) -> Markup | None:
        if spec is None:
            return None
        own = rf"\1p{next(self._numbers)}-"
        return Markup(re.sub(r"""(<[^<>]*?\bid="|url\(["']?#|href="#)""", own, self._svg(spec)))
