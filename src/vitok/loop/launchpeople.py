"""The launch check list on purpose, data, watching and people."""

from vitok.charter.conditions import Count
from vitok.data.snapshot import TABLE, load_expectations
from vitok.govern import audit
from vitok.journal.segments import spools
from vitok.loop import evidence
from vitok.loop.facts import Check, Facts, Finding
from vitok.loop.outcomes import JOURNAL
from vitok.loop.revisions import revised
from vitok.loop.risks import risk_score
from vitok.model.bundle import load_manifest
from vitok.registry import windows as remembered

_NAMED = 3  # columns or metrics of an alarm that are named here; `vitok status` tells all
_SERIOUS = 6  # of 9, from which a risk must be watched and owned


def _scope(facts: Facts) -> Finding:
    scope = facts.charter.scope
    lacking = [name for name, said in (("scope.in", scope.inside), ("scope.out", scope.out)) if not said]
    if lacking:
        keys = " and ".join(lacking)
        return Finding(False, f"{keys} not stated", remedy=f"Add {keys} to vitok.yaml.")
    return Finding(True, f"{len(scope.inside)} in, {len(scope.out)} left out")


def _value(facts: Facts) -> Finding:
    economics = facts.charter.economics
    if economics is None:
        return Finding(
            False, "economics is not stated", remedy="Add economics to vitok.yaml; see `vitok roi`."
        )
    return Finding(True, f"worth of one {economics.benefit.per}, costs and horizon stated: see `vitok roi`")


def _criteria_stood(facts: Facts) -> Finding:
    """Whether the version in question was judged by criteria that stood before any result was seen."""
    if facts.subject is None:
        return Finding(False, "no version was judged yet", remedy="Run `vitok run`.")
    found, number = revised(facts.charters, facts.versions, facts.subject), facts.subject.number
    if found:
        remedy = f"Let the owner of the goal agree to it; `vitok card {number}` tells it to every reader."
        return Finding(False, f"{len(found)} revised after a result: {found[0]}", remedy=remedy)
    return Finding(True, f"those of version {number} stood before any verdict")


def _expectations(facts: Facts) -> Finding:
    columns = load_expectations(facts.project.folder, facts.charter).columns
    bound = sum(c.low is not None or c.values is not None or c.unique for c in columns.values())
    line = f"{facts.charter.data.expect} with {len(columns)} columns, {bound} with a range, a list or unique"
    return Finding(bool(columns), line, remedy="Write what each column must hold; see docs/data.md.")


def _data_kept(facts: Facts) -> Finding:
    kept = facts.project.lake.versions(TABLE)
    used = facts.turns[-1].data if facts.turns else {}
    if not kept or not used:
        return Finding(False, "no data version is kept", remedy="Run `vitok run`.")
    line = (
        f"{len(kept)} data version(s); the last turn used {used['rows']:,} rows, digest {used['digest'][:12]}"
    )
    return Finding(True, line)


def _personal(facts: Facts) -> Finding:
    names = facts.charter.data.personal
    if not names:
        return Finding(False, "data.personal names no column", applies=False)
    if facts.subject is None:
        return Finding(False, "no version was judged yet", remedy="Run `vitok run`.")
    inputs = {field.name for field in load_manifest(facts.project.blobs, facts.subject.digest).inputs}
    inside = [name for name in names if name in inputs]
    if inside:
        what = f"version {facts.subject.number} takes {', '.join(inside)}"
        return Finding(False, what, remedy="Run `vitok run`: personal columns are no features.")
    return Finding(True, f"{', '.join(names)} kept out of version {facts.subject.number}")


def _predictions(facts: Facts) -> Finding:
    waiting = len(spools(facts.project.state / JOURNAL))
    found = evidence.count(Count("predictions", 1), facts)
    if found.done:
        return Finding(
            True, f"{len(facts.predicted):,} predictions, the last {evidence.day(facts.predicted[-1])}"
        )
    if waiting:
        what = f"{waiting} spool(s) of the journal wait to be collected"
        return Finding(False, what, remedy="Run `vitok watch --once`.")
    return Finding(False, "no prediction was made", remedy=found.remedy)


def _outcomes(facts: Facts) -> Finding:
    known, asked = len(facts.labelled), len(facts.predicted)
    line = f"outcomes of {known:,} of {asked:,} predictions"
    return Finding(known > 0, line, remedy="Report outcomes: `vitok outcomes FILE`, or POST /outcomes.")


def _windows(facts: Facts) -> Finding:
    final, seen = facts.final_windows, len(facts.windows)
    if not final:
        what = f"{seen} window(s), none with its labels"
        return Finding(False, what, remedy="Run `vitok watch --once`, or keep `vitok up` running.")
    return Finding(True, f"{len(final)} of {seen} windows final, the last from {final[-1]['start']:%Y-%m-%d}")


def _no_alarm(facts: Facts) -> Finding:
    with facts.project.engine.connect() as connection:
        found = remembered.load_alerts(connection).values()
    alarms = [alert for alert in found if alert.severity == "alarm"]
    if alarms:
        first = alarms[0]
        more = f" and {len(first.what) - _NAMED} more" if len(first.what) > _NAMED else ""
        what = (
            f"{first.kind} alarm since {evidence.day(first.since)} on {', '.join(first.what[:_NAMED])}{more}"
        )
        return Finding(False, what, remedy=first.remedy)
    if not facts.windows:
        return Finding(False, "no window was judged yet", remedy="Run `vitok watch --once`.")
    return Finding(True, f"no alarm is open after {len(facts.windows)} windows")


def _retraining(facts: Facts) -> Finding:
    triggers = facts.charter.retrain.on
    if not triggers:
        return Finding(False, "retrain.on is empty", remedy="Add a trigger such as schedule(monthly).")
    return Finding(True, ", ".join(triggers))


def _told(facts: Facts) -> Finding:
    """Whether some address is told of alerts."""
    count = sum("alert" in hook.on for hook in facts.charter.notify)
    if not count:
        remedy = "Add an address with `on: [alert]` to notify, or let somebody look every day."
        return Finding(False, "notify names no address for alerts", remedy=remedy)
    return Finding(True, f"alerts are posted to {count} address{'es' if count > 1 else ''}")


def _roles(facts: Facts) -> Finding:
    present = {role for roles in facts.charter.team.values() for role in roles}
    lacking = [] if "product_owner" in present else ["a product_owner"]
    lacking += [] if present & {"ml_engineer", "mlops_engineer"} else ["an ml_engineer or mlops_engineer"]
    if lacking:
        return Finding(False, f"nobody in team is {' or '.join(lacking)}", remedy="Add them to team.")
    return Finding(True, f"{len(facts.charter.team)} people, {len(present)} roles")


def _risks(facts: Facts) -> Finding:
    """Whether every serious risk that is not closed has an owner and a watcher."""
    if not facts.charter.risks:
        return evidence.risks_registered(facts)
    serious = [
        risk for risk in facts.charter.risks if risk.status != "closed" and risk_score(risk) >= _SERIOUS
    ]
    bare = [risk.id for risk in serious if risk.owner is None or risk.watched_by is None]
    if bare:
        what = f"{', '.join(bare)}: serious, without an owner or a watcher"
        return Finding(False, what, remedy="Add owner and watched_by; see `vitok risks`.")
    return Finding(
        True, f"{len(facts.charter.risks)} risks; all {len(serious)} serious ones owned and watched"
    )


def _approvals(facts: Facts) -> Finding:
    approve = facts.charter.approve
    asked = [risk for risk in ("low", "medium", "high") if getattr(approve, risk) != "auto"]
    if not asked:
        return Finding(False, "approve asks nobody: every class is auto", applies=False)
    hindered = [problem for problem in facts.problems if " approve." in problem["where"]]
    if hindered:
        return Finding(False, hindered[0]["what"], remedy=hindered[0]["remedy"])
    return Finding(
        True, f"changes of class {', '.join(asked)} are released only with the agreement of people"
    )


def _audit(facts: Facts) -> Finding:
    with facts.project.engine.connect() as connection:
        broken = audit.verify(connection)
        lines = audit.count(connection)
    if broken is not None:
        return Finding(False, f"line {broken} was altered or removed", remedy="Compare it with a backup.")
    return Finding(lines > 0, f"{lines} lines, the chain is whole", remedy="Run `vitok run`.")


PURPOSE: dict[str, Check] = {
    "goal, KPI and owner": evidence.goal_stated,
    "scope": _scope,
    "value": _value,
    "charter and data without error": evidence.check_clean,
    "criteria before results": _criteria_stood,
}
DATA: dict[str, Check] = {
    "expectations": _expectations,
    "data versions": _data_kept,
    "personal data": _personal,
}
WATCHING: dict[str, Check] = {
    "predictions journalled": _predictions,
    "outcomes come back": _outcomes,
    "windows judged": _windows,
    "no open alarm": _no_alarm,
    "retraining": _retraining,
    "alerts reach people": _told,
}
PEOPLE: dict[str, Check] = {
    "roles": _roles,
    "risks owned and watched": _risks,
    "approvals": _approvals,
    "audit log": _audit,
}
