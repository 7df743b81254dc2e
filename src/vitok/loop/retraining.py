"""Retraining policies as people write them for a replay: when a turn starts, on which rows, and who must agree."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import polars as pl

from vitok.charter.expressions import Alarm, Ask, Schedule, Trigger, parse_expression
from vitok.charter.rules import check_trigger
from vitok.errors import UserMistake, did_you_mean
from vitok.kernel.clock import parse_duration
from vitok.loop.project import Project

WORDS = ("never", "daily", "weekly", "monthly", "on-alert", "charter")
FORMS = (
    "every(30d)",
    "on(EXPRESSION)",
    "window(90d)",
    "season(30d)",
    "half_life(90d)",
    "cooldown(7d)",
    "approvals(2d)",
    "labels(3d)",
)
_SCHEDULES: dict[str, timedelta | Literal["monthly"]] = {
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": "monthly",
}
_PLACE = "--policy"
_TERM = re.compile(r"(every|on|window|season|half_life|cooldown|approvals|labels)\s*\((.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to keep a model alive.

    Args:
        name: As it was written.
        triggers: Any of them starts a turn.
        window: Rows to train on; None for the charter's.
        season, half_life: As the charter's keys of `retrain`; None for what they say.
        cooldown: Shortest time between turns; None for the charter's.
        approvals: How long people take to agree to a release, where the charter asks them.
        labels: How much later each label comes than it did.
    """

    name: str
    triggers: tuple[Trigger, ...]
    window: timedelta | Literal["all"] | None = None
    season: timedelta | None = None
    half_life: timedelta | None = None
    cooldown: timedelta | None = None
    approvals: timedelta = timedelta(0)
    labels: timedelta = timedelta(0)

    def applied(self, project: Project) -> Project:
        """The project with a charter that retrains so."""
        charter, document = project.charter, project.document
        mine = {name: getattr(self, name) for name in ("window", "season", "half_life", "cooldown")}
        changes = {name: value for name, value in mine.items() if value is not None}
        later = {"label_delay": (charter.task.label_delay or timedelta()) + self.labels}
        charter = charter.model_copy(
            update={
                "retrain": charter.retrain.model_copy(update=changes),
                "task": charter.task.model_copy(update=later),
            }
        )
        project = replace(project, document=replace(document, charter=charter))
        if charter.task.label_time is None or not self.labels:
            return project
        rows, lost = project.rows()
        return replace(
            project, cached_rows=(rows.with_columns(pl.col(charter.task.label_time) + self.labels), lost)
        )


def parse_policy(project: Project, text: str) -> Policy:
    """Reads a policy: words and forms joined by `+`, such as `on(drift) + window(90d) + approvals(2d)`.

    Raises:
        UserMistake: a term is not known, or makes no sense in this project.
    """
    found = Policy(text, ())
    for term in _terms(text):
        found = _with(found, term, project)
    return found


def _terms(text: str) -> list[str]:
    """The terms between the plus signs that stand outside of brackets."""
    terms, depth, start = list[str](), 0, 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "+" and depth == 0:
            terms.append(text[start:index])
            start = index + 1
    return [term.strip() for term in [*terms, text[start:]]]


def _with(policy: Policy, term: str, project: Project) -> Policy:
    if term == "never":
        return policy
    if term == "charter":
        return replace(policy, triggers=(*policy.triggers, *project.document.rules.triggers))
    if term == "on-alert":
        return replace(policy, triggers=(*policy.triggers, Alarm("drift"), Alarm("quality")))
    if term in _SCHEDULES:
        return replace(policy, triggers=(*policy.triggers, Schedule(_SCHEDULES[term])))
    match = _TERM.fullmatch(term)
    if match is None:
        known = [*WORDS, *FORMS]
        remedy = f"{did_you_mean(term, WORDS)}Known: {', '.join(known)}; join them with +."
        raise UserMistake(_PLACE, f"there is no policy {term!r}", remedy)
    return _form(policy, match[1], match[2].strip(), project)


def _form(policy: Policy, form: str, inner: str, project: Project) -> Policy:
    if form == "on":
        return replace(policy, triggers=(*policy.triggers, _trigger(inner, project)))
    if form == "window" and inner == "all":
        return replace(policy, window="all")
    length = parse_duration(inner, f"{_PLACE} {form}({inner})")
    if form == "every":
        if length <= timedelta(0):
            raise UserMistake(
                _PLACE, f"every({inner}) never ends", "Write a longer period, such as every(30d)."
            )
        return replace(policy, triggers=(*policy.triggers, Schedule(length)))
    if form in ("window", "season", "half_life") and length <= timedelta(0):
        raise UserMistake(
            _PLACE, f"{form}({inner}) holds no row", f"Write a longer one, such as {form}(90d)."
        )
    changes: dict[str, Any] = {form: length}
    return replace(policy, **changes)


def _trigger(text: str, project: Project) -> Trigger:
    expression = parse_expression(text, _PLACE)
    if isinstance(expression, Ask):
        raise UserMistake(_PLACE, f"`{expression}` starts no turn", "Write a trigger, such as on(drift).")
    return check_trigger(expression, project.charter, _PLACE)
