"""`vitok plan`: stages, milestones, review, experiments, launch check list and road map, read from the project."""

from datetime import date, timedelta
from typing import Any

from vitok.charter.conditions import Count
from vitok.charter.planning import Experiment
from vitok.kernel.clock import format_duration, format_time
from vitok.loop import evidence
from vitok.loop.facts import Check, Facts, Finding, gather, moment
from vitok.loop.launch import launch_list
from vitok.loop.project import Project


def _at_least(name: str, number: int) -> Check:
    return lambda facts: evidence.count(Count(name, number), facts)  # type: ignore[arg-type]


# What the project must show for each stage; each is read anew every time.
STAGES: dict[str, dict[str, Check]] = {
    "framing": {
        "goal, KPI and owner": evidence.goal_stated,
        "risks": evidence.risks_registered,
        "check": evidence.check_clean,
    },
    "prototype": {"baselines": evidence.baseline, "candidate judged": evidence.judged},
    "development": {"version accepted": evidence.accepted},
    "pilot": {"version released": evidence.released},
    "scale": {
        "predictions": _at_least("predictions", 1),
        "windows watched": _at_least("windows", 1),
        "retrained": evidence.retrained,
    },
}


def project_plan(project: Project) -> dict[str, Any]:
    """The object that `vitok plan --json` prints."""
    facts = gather(project)
    return {
        "project": facts.charter.project,
        "today": facts.today.isoformat(),
        "start": facts.start.isoformat(),
        "stages": stages(facts),
        "milestones": milestones(facts),
        "review": review(facts),
        "experiments": experiments(facts),
        "launch": launch_list(facts),
        "roadmap": roadmap(facts),
    }


def stages(facts: Facts) -> list[dict[str, Any]]:
    """Each stage with its state: `done`, `late`, `now` (the first that is not done), or `next`."""
    rows: list[dict[str, Any]] = []
    planned = facts.charter.plan.stages
    for stage, reads in STAGES.items():
        found = {what: read(facts) for what, read in reads.items()}
        whens = [finding.when for finding in found.values()]
        known = [when for when in whens if when is not None]
        when = max(known) if len(known) == len(whens) else None
        whole = Finding(all(finding.done for finding in found.values()), "", when)
        due = moment(planned[stage], facts.start) if stage in planned else None
        before = all(row["state"] == "done" for row in rows)
        state = _state(facts, whole, due, "now" if before else "next")
        parts = [_evidence(what, finding) for what, finding in found.items()]
        rows.append({"stage": stage, **state, "evidence": parts})
    return rows


def _evidence(what: str, finding: Finding) -> dict[str, Any]:
    when = None if finding.when is None else format_time(finding.when)
    return {"what": what, "done": finding.done, "when": when, **_by_what(finding)}


def _by_what(finding: Finding) -> dict[str, Any]:
    """By what it is known, or what to do."""
    return {"evidence": finding.evidence, "remedy": None if finding.done else finding.remedy or None}


def _state(facts: Facts, finding: Finding, due: date | None, otherwise: str) -> dict[str, Any]:
    """State, date and delay of something that has a due date; a delay is also told of what was done too late."""
    when = finding.when.date() if finding.done and finding.when is not None else None
    until = (when or due) if finding.done else facts.today
    late = (until - due).days if due is not None and until is not None and until > due else None
    state = "done" if finding.done else "late" if late else otherwise
    return {
        "due": None if due is None else due.isoformat(),
        "state": state,
        "done": None if when is None else when.isoformat(),
        "late_days": late,
    }


def milestones(facts: Facts) -> list[dict[str, Any]]:
    """Each milestone with its state: `done`, `late` or `open`."""
    rows = []
    conditions = facts.project.document.conditions
    for milestone, condition in zip(facts.charter.plan.milestones, conditions, strict=True):
        finding = evidence.met(condition, facts)
        row = {"name": milestone.name, "mvp": milestone.mvp, "done_when": str(condition)}
        row |= _state(facts, finding, moment(milestone.due, facts.start), "open")
        rows.append({**row, **_by_what(finding)})
    return rows


def review(facts: Facts) -> dict[str, Any] | None:
    """When the charter is to be looked at next; None if the plan asks for no review.

    A review leaves a trace only by the charter that comes out of it, so it is counted from the last one.
    """
    every = facts.charter.plan.review
    if every is None:
        return None
    last = facts.charters[-1].seen.date() if facts.charters else facts.start
    due = last + every
    late = (facts.today - due).days
    return {
        "every": format_duration(every),
        "last": last.isoformat(),
        "due": due.isoformat(),
        "overdue_days": late if late > 0 else None,
    }


def experiments(facts: Facts) -> list[dict[str, Any]]:
    """Ideas by expected gain for each hour, the best first; beneath them what came of those that are over."""
    rows = [_experiment(facts, each) for each in facts.charter.experiments]
    return sorted(rows, key=lambda row: (row["over"], -(row["score"] if row["score"] is not None else 1e9)))


def _experiment(facts: Facts, idea: Experiment) -> dict[str, Any]:
    hours = idea.effort / timedelta(hours=1)
    return {
        "id": idea.id,
        "what": idea.what,
        "status": idea.status,
        "over": idea.status in ("done", "dropped"),
        "score": idea.chance * idea.effect / hours if hours else None,
        "chance": idea.chance,
        "effect": idea.effect,
        "effort_hours": hours,
        "hours_logged": facts.hours.get(idea.id),
        "gain": idea.gain,
        "learned": idea.learned,
    }


def roadmap(facts: Facts) -> list[dict[str, Any]]:
    """The standard steps of ninety days, counted from the start of the plan."""
    rows = []
    for last_day, steps in _ROADMAP.items():
        for step, read in steps.items():
            finding = read(facts)
            state = _state(facts, finding, facts.start + timedelta(days=last_day), "due")
            row = {"days": f"{last_day - 29}-{last_day}", "step": step, **state}
            rows.append({**row, **_by_what(finding)})
    return rows


def _value_reviewed(facts: Facts) -> Finding:
    """Whether ROI can be reckoned from what really happened."""
    if facts.charter.economics is None:
        return Finding(False, "economics is not stated", remedy="Add economics to vitok.yaml.")
    if not facts.releases or not len(facts.labelled):
        return Finding(False, "no outcome of a released version yet", remedy="See `vitok outcomes`.")
    evidence_ = f"economics stated, {len(facts.labelled):,} outcomes: see `vitok roi`"
    return Finding(True, evidence_, facts.labelled[0])


def _charter_reviewed(facts: Facts) -> Finding:
    """Whether a charter came into force after the first release."""
    if not facts.releases:
        return Finding(False, "nothing was released", remedy="Release a version first.")
    later = [charter for charter in facts.charters if charter.seen > facts.releases[0].created]
    if not later:
        remedy = (
            "Look at goal, gates, risks and plan with everybody; bring vitok.yaml up to date; `vitok run`."
        )
        return Finding(False, "no charter came into force since the first release", remedy=remedy)
    return Finding(True, f"charter {later[0].number} in force", later[0].seen)


_ROADMAP: dict[int, dict[str, Check]] = {
    30: {
        "goal, KPI and owner agreed": evidence.goal_stated,
        "risks registered": evidence.risks_registered,
        "charter and data without error": evidence.check_clean,
        "baselines measured": evidence.baseline,
    },
    60: {
        "version accepted": evidence.accepted,
        "released to its first users": evidence.released,
        "predictions in the journal": _at_least("predictions", 1),
        "outcomes come back": _at_least("labels", 1),
    },
    90: {
        "two whole windows watched": _at_least("windows", 2),
        "first retraining": evidence.retrained,
        "ROI reckoned with real outcomes": _value_reviewed,
        "charter reviewed after the release": _charter_reviewed,
    },
}
