"""By what the project shows that something is done: one function for each kind of evidence."""

from datetime import datetime
from typing import Any

from vitok.charter.conditions import COUNTS, Condition, Count, Event, Figure
from vitok.loop.facts import Facts, Finding
from vitok.registry.versions import Version


def day(instant: datetime) -> str:
    """The day of an instant."""
    return f"{instant:%Y-%m-%d}"


def met(condition: Condition, facts: Facts) -> Finding:
    """Whether the condition of a milestone holds."""
    if isinstance(condition, Event):
        return {"baseline": baseline, "accepted": accepted, "released": released, "retrained": retrained}[
            condition.name
        ](facts)
    return count(condition, facts) if isinstance(condition, Count) else figure(condition, facts)


def goal_stated(facts: Facts) -> Finding:
    """Goal with KPI and owner."""
    goal = facts.charter.goal
    lacking = [name for name in ("kpi", "owner") if getattr(goal, name) is None]
    if lacking or goal.kpi is None:
        keys = " and ".join(f"goal.{name}" for name in lacking)
        return Finding(False, f"{keys} not stated", remedy=f"Add {keys} to vitok.yaml.")
    evidence = f"{goal.kpi.name} from {goal.kpi.base:g} to {goal.kpi.target:g}, owner {goal.owner}"
    since = facts.since(lambda content: bool(content["goal"].get("kpi") and content["goal"].get("owner")))
    return Finding(True, evidence, since)


def risks_registered(facts: Facts) -> Finding:
    """At least one risk is in the register."""
    risks = facts.charter.risks
    if not risks:
        return Finding(False, "no risk is registered", remedy="Add risks to vitok.yaml; see `vitok risks`.")
    plural = "s" if len(risks) > 1 else ""
    return Finding(
        True, f"{len(risks)} risk{plural}", facts.since(lambda content: bool(content.get("risks")))
    )


def check_clean(facts: Facts) -> Finding:
    """`vitok check` finds no error; known since the first turn, which would have stopped at one."""
    errors = [problem for problem in facts.problems if problem["severity"] == "error"]
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return Finding(False, f"{first['where']}: {first['what']}{more}", remedy="See `vitok check`.")
    when = facts.turns[0].started if facts.turns else None
    return Finding(True, f"no error, {len(facts.problems)} remark(s)", when)


def baseline(facts: Facts) -> Finding:
    """Baselines were measured: every turn that ends with a verdict measures them first."""
    if not facts.turns:
        return Finding(False, "no turn has ended with a verdict", remedy="Run `vitok run`.")
    turn = facts.turns[0]
    by = next((c.content for c in facts.charters if c.digest == turn.charter), {})
    names = ", ".join(by.get("train", {}).get("baselines", [])) or "baselines"
    return Finding(True, f"{names} measured by the turn of {day(turn.started)}", turn.ended)


def judged(facts: Facts) -> Finding:
    """A candidate was judged, whatever the verdict."""
    if not facts.versions:
        return Finding(False, "no candidate has been judged", remedy="Run `vitok run`.")
    return Finding(True, gates_line(facts.versions[0]), facts.versions[0].created)


def gates_line(version: Version) -> str:
    """A verdict in one line."""
    passed = sum(bool(gate["passed"]) for gate in version.gates)
    return (
        f"version {version.number} {version.verdict} {day(version.created)}, "
        f"{passed} of {len(version.gates)} gates"
    )


def accepted(facts: Facts) -> Finding:
    """A version passed all gates."""
    if facts.accepted:
        return Finding(True, gates_line(facts.accepted[0]), facts.accepted[0].created)
    tried = f"none of {len(facts.versions)} was accepted" if facts.versions else "no version yet"
    return Finding(False, tried, remedy="Run `vitok run`; `vitok card` tells why a version was refused.")


def released(facts: Facts) -> Finding:
    """A version was put into production."""
    if not facts.releases:
        return Finding(False, "nothing was released", remedy="Run `vitok release VERSION`.")
    first = facts.releases[0]
    return Finding(True, f"version {first.version} released {day(first.created)}", first.created)


def retrained(facts: Facts) -> Finding:
    """A turn that began after the first release gave an accepted version."""
    remedy = "State retrain.on and keep `vitok up` or `vitok watch` running, or run `vitok run`."
    if not facts.releases:
        return Finding(
            False, "nothing was released that could be retrained", remedy="Release a version first."
        )
    later = [turn for turn in facts.turns if turn.started > facts.releases[0].created]
    numbers = {version.number for version in facts.accepted}
    good = next((turn for turn in later if turn.version in numbers), None)
    if good is None:
        tried = (
            f"{len(later)} turns since the first release, none accepted"
            if later
            else "no turn since the first release"
        )
        return Finding(False, tried, remedy=remedy)
    return Finding(True, f"version {good.version} of the turn of {day(good.started)}", good.ended)


def count(condition: Count, facts: Facts) -> Finding:
    """Whether there are so many, and when the last that was needed came."""
    times = _times(condition.name, facts)
    total, wanted = len(times), condition.at_least
    noun = COUNTS[condition.name]
    if total >= wanted:
        return Finding(True, f"{total:,} {noun}", times[wanted - 1] if wanted else None)
    missing = f"{total:,} of {wanted:,} {noun}" if wanted > 1 else f"no {noun}"
    return Finding(False, missing, remedy=_MORE[condition.name])


_MORE = {
    "predictions": "Run `vitok up` or `vitok predict`; `vitok watch --once` collects what was journalled.",
    "labels": "Report outcomes: `vitok outcomes FILE`, or POST /outcomes.",
    "windows": "Run `vitok watch --once`, or keep `vitok up` running.",
    "turns": "Run `vitok run`.",
    "versions": "Run `vitok run`.",
}


def _times(name: str, facts: Facts) -> Any:
    """When each one came to be, in the order of time."""
    if name == "predictions":
        return facts.predicted
    if name == "labels":
        return facts.labelled
    if name == "turns":
        return [turn.ended for turn in facts.turns]
    if name == "versions":
        return [version.created for version in facts.versions]
    # Nobody could know of a window before its predictions were in the journal: history may be predicted late.
    first = facts.predicted[0] if len(facts.predicted) else None
    return [window["end"] if first is None else max(window["end"], first) for window in facts.final_windows]


def figure(condition: Figure, facts: Facts) -> Finding:
    """Whether the version in production (before any release: the one accepted last) clears the bound.

    It counts from the first version on since which every one in production has cleared it.
    """
    by_number = {version.number: version for version in facts.versions}
    holders = [(release.created, by_number[release.version]) for release in facts.releases]
    holders = holders or [(version.created, version) for version in facts.accepted]
    if not holders:
        return Finding(False, "no version was accepted yet", remedy="Run `vitok run`.")
    version = holders[-1][1]
    found = version.metrics.get(condition.metric)
    if found is None:
        known = ", ".join(version.metrics)
        return Finding(
            False, f"version {version.number} has no {condition.metric}", remedy=f"It has {known}."
        )
    evidence = (
        f"version {version.number}: {condition.metric} {found['value']:.4g} "
        f"[{found['low']:.4g}, {found['high']:.4g}]"
    )
    since = None
    for when, holder in reversed(holders):
        interval = holder.metrics.get(condition.metric)
        if interval is None or not condition.holds(interval):
            break
        since = when
    if since is None:
        return Finding(False, evidence, remedy="Improve the model, or give more test rows.")
    return Finding(True, evidence, since)
