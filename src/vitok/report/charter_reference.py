"""The charter's reference page, made from its models, so that page and program cannot differ."""

import types
import typing
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vitok.charter.expressions import GRAMMAR
from vitok.charter.model import Charter
from vitok.charter.section import Section, key_of
from vitok.charter.values import Budget, Duration, Moment, Multiple, Period, Share
from vitok.kernel.clock import format_duration
from vitok.stats.catalogue import METRICS, PRIMARY, SERVICE_METRICS, Metric

_UNITS = (
    (Share, "share"),
    (Duration, "duration"),
    (Period, "duration"),
    (Multiple, "multiple"),
    (Budget, "budget"),
    (Moment, "date or duration"),
)
_PLAIN = {str: "text", bool: "true or false", int: "whole number", float: "number"}

EXAMPLE = """\
project: flight-delay
goal: {statement: Warn of a late arrival at departure time}
task: {type: binary, target: late, positive: true, id: flight_id, time: departure, label_delay: 8h}
data: {sources: {flights: data/flights.parquet}, exclude: [tailnum]}
accept:
  - roc_auc >= 0.70                     # on the whole interval, not on the figure alone
  - roc_auc > baseline                  # better than the best baseline, on the same rows
  - roc_auc >= champion - 0.002         # not clearly worse than what is in production
  - slice(origin).roc_auc >= 0.60       # in each group
  - latency_p99_ms <= 50
retrain: {on: [schedule(monthly), drift], cooldown: 7d, budget: 4 per 30d}
"""

GATES = {
    "roc_auc >= 0.70": "at least 0.70, with the whole interval",
    "roc_auc > baseline": "better than every baseline of `train.baselines`, on the same rows",
    "roc_auc >= champion - 0.002": "at most 0.002 below the version in production; passes if there is none",
    "rmse <= 0.95 * champion": "at least 5 % less error than the version in production",
    "calibration_error <= 5%": "a number may be written as a share",
    "slice(carrier).roc_auc >= 0.60": "in each group of the column; groups under 100 rows are judged together",
    'slice(origin="JFK").recall > baseline': "in one group",
    'slice(origin="JFK").recall >= slice(origin="EWR").recall - 5%': "one group against another, on the interval "
    "of their difference",
    "worst_slice.recall >= 0.30": "in each group of each column of `monitor.slices`; `worst_slice(carrier)` for one",
    "gap(origin).recall <= 10%": "no two groups of the column differ by more",
    "roc_auc >= 0.65 for window(30d)": "on the last 30 days of the test rows",
    "profit_per_1000 > 0": "earns money; needs `decide.costs`",
    "latency_p99_ms <= 50ms": "of the packaged model, one row at a time; units are `ms`, `s`, `min`, `h`, `d`, `w`, "
    "`kB`, `MB`, `GB`, and must be of the kind that the metric is measured in (`task.unit` for `mae`, `rmse`)",
    'ask(domain_expert, "Is it plausible?")': "a person of this role says yes (`vitok approve`); until then the "
    "version waits, and cannot be released",
}
TRIGGERS = {
    "schedule(weekly)": "a week has passed since the last turn began; also `hourly`, `daily`, `monthly` (a new "
    "calendar month has begun) and any duration, such as `schedule(36h)`",
    "drift": "an alarm on drift is open (a notice starts nothing)",
    "quality": "an alarm on quality is open",
    'schedule("0 6 * * mon")': "a moment that the five fields of cron name (minute, hour, day, month, weekday; UTC) "
    "has passed since the last turn began",
    "labels >= 20000": "so many outcomes became known since the last turn began",
    "new_data": "a file of `data.sources` was written since the last turn began",
    "charter": "the criteria changed since the last turn began: gates, decisions, task, rows",
    "libraries": "a package that the version in production was made with is installed in another version now, such as "
    "after a security update",
    "roc_auc < 0.70": "the metric of the last final window; its whole interval must lie beyond the bound. With "
    "`retrain.confirm: 2 of 3` in two of the last three windows",
    "estimated roc_auc < 0.70": "the same of what is estimated before labels come; it may start a turn, and never "
    "decides about a release",
    "roc_auc < 0.70 for window(30d)": "the same, on the labelled rows of 30 days before that window's end",
    "slice(carrier).roc_auc < 0.60": "in any group for certain; the more groups, the wider each interval, so that "
    "all together err as seldom as one",
    "roc_auc < 0.95 * accepted": "the same, against the figure with which the version in production was accepted",
}


def charter_reference() -> str:
    """The text of `docs/charter.md`."""
    parts = [_opening(), *(_section(path, model) for path, model in _sections("", Charter)), _language()]
    return "\n".join(parts)


def charter_keys() -> list[str]:
    """Every key of the charter by its dotted name; `[]` stands for an entry of a list."""
    return [key for path, model in _sections("", Charter) for key in _names(path, model)]


def _names(path: str, model: type[Section]) -> list[str]:
    return [f"{path}.{name}".lstrip(".") for name in (key_of(model, field) for field in model.model_fields)]


def _sections(path: str, model: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    """The charter's sections, each before those inside it."""
    yield path, model
    for key, hint in zip(_names(path, model), _hints(model).values(), strict=True):
        inner = _section_in(hint)
        if inner is not None:
            yield from _sections(f"{key}[]" if typing.get_origin(_bare(hint)) is list else key, inner)


def _hints(model: type[BaseModel]) -> dict[str, Any]:
    hints = typing.get_type_hints(model, include_extras=True)
    return {name: hints[name] for name in model.model_fields}


def _bare(hint: Any) -> Any:
    """A type without its annotations, and without None."""
    if any(hint == unit for unit, _ in _UNITS):
        return hint
    if typing.get_origin(hint) is typing.Annotated:
        return _bare(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return _bare(kinds[0]) if len(kinds) == 1 else typing.Union[tuple(kinds)]  # noqa: UP007
    return hint


def _section_in(hint: Any) -> type[Section] | None:
    bare = _bare(hint)
    if typing.get_origin(bare) is list:
        bare = _bare(typing.get_args(bare)[0])
    kinds = [_bare(kind) for kind in typing.get_args(bare)] or [bare]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def _opening() -> str:
    return f"""\
# The charter

One file, `vitok.yaml`, says what a project is for, what its data must hold, which gates a model must pass, and when \
it is retrained. `vitok init` drafts it, `vitok check` reviews it, every other command derives from it. A mistake is \
told with its line and column; an unknown key with the nearest known one.

```yaml
{EXAMPLE}```

How values are written: a *duration* is a number with a unit (`ms`, `s`, `m` or `min`, `h`, `d`, `w`, `y`), \
of at most `100y`; a *share* is `20%` or `0.2`; a *multiple* is `1.5x`; a *range* is \
`[low, high]` or `[low, likely, high]`; a *budget* is `4 per 30d`. Only `true` and `false` are truth values.

In an editor: `vitok export schema -o vitok.schema.json`, \
then `# yaml-language-server: $schema=vitok.schema.json` as the first line of the charter.

This page is made by `vitok export charter-reference`.
"""


def _section(path: str, model: type[Section]) -> str:
    title = f"`{path}`" if path else "Top level"
    lines = [f"## {title}", "", (model.__doc__ or "").strip(), ""]
    lines += ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
    hints = _hints(model)
    for key, (name, field) in zip(_names(path, model), model.model_fields.items(), strict=True):
        cells = (f"`{key}`", _kind(hints[name]), _default(hints[name], field), str(field.description))
        lines.append(f"| {' | '.join(cells)} | {_example(key_of(model, name), field)} |")
    return "\n".join(lines) + "\n"


def _kind(hint: Any) -> str:
    for unit, name in _UNITS:
        if hint == unit:
            return name
    bare = _bare(hint)
    if bare is not hint:
        return _kind(bare)
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is tuple:
        return "range"
    if origin is dict:
        return f"mapping of {_kind(arguments[0])} to {_kind(arguments[1])}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_kind(kind) for kind in arguments)
    return _PLAIN.get(bare, "section")


def _default(hint: Any, field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "**required**"
    if isinstance(value, Section):
        return "its own defaults"
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    if isinstance(value, float) and any(Share == kind for kind in (hint, *typing.get_args(hint))):
        return f"`{value * 100:g}%`"
    return f"`{_flow(value)}`"


def _example(name: str, field: FieldInfo) -> str:
    return f"`{name}: {_flow(field.examples[0])}`" if field.examples else "see below"


def _flow(value: Any) -> str:
    """A value as one line of YAML; whole numbers without a point."""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, width=10_000, allow_unicode=True)
    return text.replace("\n...\n", "").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _language() -> str:
    rows = [f"| `{gate}` | {meaning} |" for gate, meaning in GATES.items()]
    asked = [f"| `{trigger}` | {meaning} |" for trigger, meaning in TRIGGERS.items()]
    return "\n".join(
        [
            "## Gates and triggers",
            "",
            "Gates (`accept`), alerts (`monitor.alerts`) and triggers (`retrain.on`) are one small language:",
            "",
            f"```text{GRAMMAR}```",
            "",
            "### Gates",
            "",
            "A gate is decided on the central 90 % interval of its figure on the test rows: `>=` asks for the lower "
            "end, `<=` for the upper. Against `baseline` or `champion` it is the interval of the difference on the "
            "same rows. What cannot be decided fails, with the reason. All gates must pass; a gate compares with a "
            "number, `baseline`, `champion` or another slice. Formulas: [methods.md](methods.md).",
            "",
            "| gate | passes if |",
            "|---|---|",
            *rows,
            "",
            "### Alerts and triggers",
            "",
            "A comparison under `monitor.alerts` says what must not happen: it raises an alert on quality when "
            "the labelled rows of windows are evidence enough that it holds. Any trigger that "
            "holds starts a turn, unless something holds it back: `retrain.cooldown` or `retrain.budget`, a release "
            "that is under way, inputs or labels that look broken (`retrain.poisoned`), or nothing new to learn; "
            "`vitok turns decisions` tells which. Both speak of the "
            "version that answers now, compare with a number, `accepted` or another slice, and know no figures of "
            "the bundle; slices need columns that are inputs of the model, since production records no others.",
            "",
            "| trigger | holds if |",
            "|---|---|",
            *asked,
            "",
            "### Metrics",
            "",
            "| metric | tasks | better | meaning |",
            "|---|---|---|---|",
            *(_metric(metric) for metric in METRICS.values()),
            *(
                f"| `{name}` | all, gates only | low | {meaning} |"
                for name, meaning in SERVICE_METRICS.items()
            ),
            "",
            "The main metric, by which candidates are ranked and whose fall is an alarm, is the first of "
            "`train.tune.objectives`; without one it is "
            + ", ".join(f"`{name}` ({task})" for task, name in PRIMARY.items())
            + ".",
            "",
        ]
    )


def _metric(metric: Metric) -> str:
    tasks = ", ".join(task for task in PRIMARY if task in metric.tasks)
    better = "high" if metric.higher_is_better else "low"
    return f"| `{metric.name}` | {tasks} | {better} | {metric.meaning} |"
