"""Drafting a charter from what a first look at the data found: complete, commented, ready to be signed."""

from dataclasses import dataclass, field
from datetime import timedelta

import yaml

from vitok.charter.dialect import Dumper
from vitok.charter.standard_risks import StandardRisk
from vitok.charter.templates import Template
from vitok.kernel.clock import format_duration
from vitok.stats.catalogue import METRICS, PRIMARY, TaskKind


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a new project.

    Args:
        project: Its name.
        path: The data file, relative to the project.
        target, positive: What is predicted; `positive` for a binary task.
        rows: Rows of the file.
        exclude, personal: Columns that are no features.
        trusted: Features that nearly tell the target and are known in time all the same.
        gates: Each gate with the reason for it.
        slices: Columns whose groups are worth looking at.
        baselines: Which baselines this much data can tell apart.
        statement, owner: What the user said of the goal.
        costs: Money for tp, fp, fn, tn, if the user stated it.
        template: The kind of project to start from.
        risks: Standard risks to register besides those of the template.
        comments: A remark for a key, by its dotted name.
    """

    project: str
    path: str
    task: TaskKind
    target: str
    rows: int
    positive: object = None
    id: str | None = None
    time: str | None = None
    entity: str | None = None
    label_delay: timedelta | None = None
    label_time: str | None = None
    exclude: list[str] = field(default_factory=list)
    personal: list[str] = field(default_factory=list)
    trusted: list[str] = field(default_factory=list)
    gates: list[tuple[str, str]] = field(default_factory=list)
    slices: list[str] = field(default_factory=list)
    baselines: list[str] = field(default_factory=lambda: ["prior", "rule"])
    statement: str | None = None
    owner: str | None = None
    costs: tuple[float, float, float, float] | None = None
    template: Template | None = None
    risks: list[StandardRisk] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)


def draft_charter(facts: Facts) -> str:
    """The text of `vitok.yaml`: complete, commented, accepted by `vitok run` as it is."""
    lines = [
        "# The charter of this project: every gate, alert and release rule derives from it.",
        "# All keys with examples: docs/charter.md. Review it with `vitok check`, start with `vitok run`.",
        f"project: {_scalar(facts.project)}",
        "",
        *_goal(facts),
        "",
        *_task(facts),
        "",
        *_data(facts),
        "",
        "train:",
        f"  baselines: {_list(facts.baselines)}{_remark(facts, 'train.baselines')}",
        "  candidates: [linear, lightgbm]  # side by side; the best on the validation rows is judged",
        "  tune: {trials: 10, timeout: 1m}  # for each candidate, at most",
        "",
        "accept:  # a version is accepted if all hold, each on its whole 90 % interval",
        *_gates(facts),
        "",
        *_decide(facts),
        "release: {strategy: immediate}",
        "approve: {low: auto, medium: auto, high: auto}  # or roles of the team, by the risk of the change",
        *_watching(facts),
        "",
        *_economics(facts),
        *_plan(),
        *_risks(facts),
        "team: {}  # who may answer and approve: ada@example.org: [data_scientist, product_owner]",
    ]
    return "\n".join(lines) + "\n"


def _goal(facts: Facts) -> list[str]:
    template = facts.template
    statement = facts.statement or (template.statement if template else f"Predict {facts.target}")
    kind = template.kind if template else "efficiency"
    name, metric = (
        template.kpi if template else ("missed", "recall" if facts.task == "binary" else PRIMARY[facts.task])
    )
    lines = [
        "goal:",
        f"  statement: {_scalar(statement)}",
        f"  kind: {kind}  # cost, efficiency or revenue",
    ]
    lines.append(f"  owner: {_scalar(facts.owner)}" if facts.owner else "  # owner: who answers for it")
    lines.append(
        f"  # kpi: {{name: {name}, base: 0.30, target: 0.20, metric: {metric}}}  # state the figure that it moves"
    )
    if template and (template.out or template.regulation):
        lines += ["scope:", f"  out: {_list(list(template.out))}"]
        lines += [f"  regulation: {_list(list(template.regulation))}"] if template.regulation else []
    return lines


def _task(facts: Facts) -> list[str]:
    lines = [
        "task:",
        f"  type: {facts.task}{_remark(facts, 'task.type')}",
        f"  target: {_scalar(facts.target)}{_remark(facts, 'task.target')}",
    ]
    if facts.task == "binary":
        lines.append(f"  positive: {_scalar(facts.positive)}{_remark(facts, 'task.positive')}")
    keys = {"id": facts.id, "time": facts.time, "entity": facts.entity, "label_time": facts.label_time}
    for key, value in keys.items():
        if value is not None:
            lines.append(f"  {key}: {_scalar(value)}{_remark(facts, f'task.{key}')}")
    if facts.label_delay is not None:
        remark = _remark(facts, "task.label_delay")
        lines.append(f"  label_delay: {format_duration(facts.label_delay)}{remark}")
    elif facts.time is not None:
        lines.append("  # label_delay: 4h  # how long after the decision the label is known")
    return lines


def _data(facts: Facts) -> list[str]:
    split = "by time: judged on the newest rows" if facts.time else "judged on rows that no candidate saw"
    return [
        "data:",
        f"  sources: {{data: {_scalar(facts.path)}}}  # {facts.rows} rows",
        f"  exclude: {_list(facts.exclude)}{_remark(facts, 'data.exclude', 'columns that are no features')}",
        f"  personal: {_list(facts.personal)}{_remark(facts, 'data.personal', 'never features, never in reports')}",
        *(
            [f"  trusted: {_list(facts.trusted)}  # known at the moment of the decision"]
            if facts.trusted
            else []
        ),
        "  expect: expectations.yaml  # types and ranges that every snapshot must keep; edit it freely",
        f"  split: {{test: 20%, validation: 10%}}  # {split}",
    ]


def _gates(facts: Facts) -> list[str]:
    gates = facts.gates or [_beats_baseline(facts.task)]
    width = max(len(gate) for gate, _ in gates)
    return [f"  - {gate.ljust(width)}  # {why}" for gate, why in gates]


def _beats_baseline(task: TaskKind) -> tuple[str, str]:
    metric = PRIMARY[task]
    return f"{metric} {'>' if METRICS[metric].higher_is_better else '<'} baseline", "or a simple rule will do"


def _decide(facts: Facts) -> list[str]:
    if facts.task != "binary":
        return []
    usual = facts.template.costs if facts.template else None
    costs = facts.costs or usual
    if costs is None:
        return [
            "decide:",
            "  threshold: best  # the best F1; with costs the most profit",
            "  # costs: {tp: 40, fp: -10, fn: 0, tn: 0}  # money for each kind of decision",
        ]
    tp, fp, fn, tn = (f"{value:g}" for value in costs)
    why = "money for each kind of decision" if facts.costs else "usual proportions: put your own figures"
    return [
        "decide:",
        f"  costs: {{tp: {tp}, fp: {fp}, fn: {fn}, tn: {tn}}}  # {why}",
        "  threshold: best  # the most profit",
    ]


def _watching(facts: Facts) -> list[str]:
    template = facts.template
    window = template.window if template else "1d"
    triggers = list(template.retrain) if template and facts.time else []
    slices = f"\n  slices: {_list(facts.slices)}{_remark(facts, 'monitor.slices')}" if facts.slices else ""
    example = "" if triggers else "  # for example [schedule(monthly), drift, quality]"
    return [
        f"monitor:\n  window: {window}  # production is judged in windows of this length{slices}",
        f"retrain: {{on: {_list(triggers)}, window: all, cooldown: 7d}}{example}",
    ]


def _economics(facts: Facts) -> list[str]:
    per = "prevented_case" if facts.task == "binary" else "unit"
    return [
        "# economics:  # what it costs and brings; ranges are welcome, `vitok roi` reckons with them",
        "#   {build: [20000, 30000, 50000], yearly: 10000, horizon: 3y, discount: 10%,",
        f"#    benefit: {{per: {per}, value: 100, events_per_year: [500, 1000], prevented: [10%, 30%]}}}}",
    ]


def _plan() -> list[str]:
    return [
        "plan:  # `vitok plan` reads from the project what is done",
        "  stages: {framing: 14d, prototype: 30d, development: 60d, pilot: 75d, scale: 90d}  # from the first run on",
        "  milestones:",
        "    - {name: baseline measured, due: 14d, done_when: baseline}",
        "    - {name: first accepted version, due: 30d, done_when: accepted}",
        "    - {name: in production, due: 60d, done_when: released, mvp: true}",
        "  review: 30d",
        "experiments: []  # ideas: {id: E1, what: ..., effect: 0.01, chance: 50%, effort: 8h}",
    ]


def _risks(facts: Facts) -> list[str]:
    lines = ["risks:  # `vitok risks` shows which of them is happening"]
    known = facts.template.risks if facts.template else ()
    for number, (what, kind, likelihood, impact, mitigation, watched) in enumerate(known, 1):
        watcher = f", watched_by: {watched}" if facts.time else ""
        lines.append(
            f"  - {{id: R{number}, what: {_scalar(what)}, kind: {kind}, likelihood: {likelihood}, impact: {impact}, "
            f"mitigation: {_scalar(mitigation)}{watcher}}}"
        )
    for number, risk in enumerate(facts.risks, len(known) + 1):
        watcher = f", watched_by: {risk.watched_by}" if risk.watched_by and facts.time else ""
        lines.append(
            f"  - {{id: R{number}, what: {_scalar(risk.what)}, kind: {risk.kind}, likelihood: medium, impact: high"
            f"{watcher}}}"
        )
    return lines if len(lines) > 1 else ["risks: []"]


def _remark(facts: Facts, key: str, otherwise: str = "") -> str:
    text = facts.comments.get(key, otherwise)
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"  # {' '.join(printable.split())}" if text else ""


def _scalar(value: object) -> str:
    """A value on one line, safe inside `{}` and `[]`."""
    text = yaml.dump([value], Dumper=Dumper, default_flow_style=True, allow_unicode=True, width=100_000)
    text = text.strip()[1:-1]
    if len(text.splitlines()) == 1:
        return text
    quoted = yaml.dump(value, Dumper=Dumper, default_style='"', allow_unicode=True, width=100_000)
    return quoted.strip()


def _list(values: list[str]) -> str:
    return f"[{', '.join(_scalar(value) for value in values)}]"
