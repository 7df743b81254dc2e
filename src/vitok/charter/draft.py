"""Drafting a charter from what a first look at the data found."""

import math
from dataclasses import dataclass
from datetime import timedelta

import yaml

from vitok.kernel.clock import format_duration
from vitok.stats.catalogue import METRICS, PRIMARY, TaskKind
from vitok.stats.power import TestSize, paired_half_width


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a new project.

    Args:
        project: Its name.
        path: The data file, relative to the project.
        target, positive: What is predicted; `positive` for a binary task.
        rows: Rows of the file.
        positives: Positive ones among them (binary).
        exclude, personal: Columns that are no features.
        comments: A remark for a key, by its dotted name.
    """

    project: str
    path: str
    task: TaskKind
    target: str
    positive: object
    id: str | None
    time: str | None
    entity: str | None
    label_delay: timedelta | None
    exclude: list[str]
    personal: list[str]
    rows: int
    positives: int
    comments: dict[str, str]


def draft_charter(facts: Facts) -> str:
    """The text of `vitok.yaml`: complete, commented, accepted by `vitok run` as it is."""
    metric = PRIMARY[facts.task]
    better = METRICS[metric].higher_is_better
    small = facts.rows < 2000
    baselines = "[prior]" if small else "[prior, rule]"
    why = (
        "with so few rows only the simplest baseline can be told apart; add rule later"
        if small
        else "the candidate must beat both"
    )
    lines = [
        "# The charter of this project: every gate, alert and release rule derives from it.",
        "# All keys with examples: docs/charter.md. Review it with `vitok check`, start with `vitok run`.",
        f"project: {_scalar(facts.project)}",
        f"goal: {{statement: {_scalar(f'Predict {facts.target}')}, kind: efficiency}}  # "
        "say why, for whom, and by which figure (kpi)",
        "task:",
        f"  type: {facts.task}{_remark(facts, 'task.type')}",
        f"  target: {_scalar(facts.target)}",
    ]
    if facts.task == "binary":
        lines.append(f"  positive: {_scalar(facts.positive)}{_remark(facts, 'task.positive')}")
    for key, value in (("id", facts.id), ("time", facts.time), ("entity", facts.entity)):
        if value is not None:
            lines.append(f"  {key}: {_scalar(value)}{_remark(facts, f'task.{key}')}")
    if facts.label_delay is not None:
        lines.append(f"  label_delay: {format_duration(facts.label_delay)}")
    lines += [
        "data:",
        f"  sources: {{data: {_scalar(facts.path)}}}",
        f"  exclude: {_list(facts.exclude)}{_remark(facts, 'data.exclude')}",
        f"  personal: {_list(facts.personal)}{_remark(facts, 'data.personal')}",
        "  split: {test: 20%, validation: 10%}"
        + ("  # by time: the last rows are the test" if facts.time else ""),
        "train:",
        f"  baselines: {baselines}  # {why}",
        "  candidates: [linear, lightgbm]",
        "  tune: {trials: 10, timeout: 1m}",
        "accept:  # each gate is decided on its 90 % interval; all must pass",
        f"  - {metric} {'>' if better else '<'} baseline",
    ]
    margin = _margin(facts)
    if facts.task != "regression":
        lines.append(
            f"  - {metric} {f'>= champion - {margin:g}' if better else f'<= champion + {margin:g}'}  # "
            "a new version may not be clearly worse"
        )
    lines += [
        "  - latency_p50_ms <= 100",
        "decide: {threshold: best}  # add costs: {tp, fp, fn, tn} to decide by money",
        "monitor: {window: 1d}",
        "retrain: {on: [], window: all}  # for example [schedule(monthly), drift]",
    ]
    return "\n".join(lines) + "\n"


def _margin(facts: Facts) -> float:
    """The smallest loss that a test of a fifth of the rows can exclude, at least .02."""
    if facts.task != "binary":
        return 0.02
    size = TestSize(round(facts.rows * 0.2), round(facts.positives * 0.2))
    return max(0.02, math.ceil(paired_half_width("roc_auc", 0.75, size) * 100) / 100)


def _remark(facts: Facts, key: str) -> str:
    text = facts.comments.get(key)
    return f"  # {text}" if text else ""


def _scalar(value: object) -> str:
    """A value on one line, safe inside `{}` and `[]`."""
    text = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=100_000).strip()[1:-1]
    if len(text.splitlines()) == 1:
        return text
    quoted = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=100_000)
    return quoted.strip()


def _list(values: list[str]) -> str:
    return f"[{', '.join(_scalar(value) for value in values)}]"
