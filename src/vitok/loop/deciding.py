"""Whether a turn is due: the facts that triggers look at, and the record of each decision."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vitok.charter.changes import criteria_changes
from vitok.charter.expressions import Changed, Comparison, Trigger
from vitok.kernel.clock import format_time
from vitok.loop.journals import JournalReader
from vitok.loop.label_trust import labels_distrusted
from vitok.loop.pins import fingerprint
from vitok.loop.project import Project
from vitok.loop.rules import judge_rules
from vitok.model.bundle import load_manifest
from vitok.model.environment import changed_libraries
from vitok.monitor.alerts import BROKEN_INPUTS
from vitok.monitor.triggers import Decision, Facts, Guards, decide_turn
from vitok.registry import charters, decisions, handlings, releases, rollouts, turns, versions
from vitok.registry import windows as remembered
from vitok.stats.estimates import Estimate


def decide(
    project: Project, journal: JournalReader, alerts: Mapping[str, Any], triggers: Sequence[Trigger]
) -> Decision:
    """Decides whether a turn starts now.

    Args:
        alerts: The open ones, by id.
        triggers: The charter's, or those of a policy that is replayed.
    """
    with project.engine.connect() as connection:
        release = releases.current(connection)
    if release is None or not triggers:
        return Decision(False, "")
    retrain = project.charter.retrain
    guards = Guards(retrain.cooldown, retrain.budget, retrain.confirmed, retrain.poisoned == "train")
    decision = decide_turn(triggers, _facts(project, journal, alerts, triggers, release), guards)
    return _with_labels(project, journal, decision, guards) if decision.start else decision


def note_decision(project: Project, decision: Decision) -> str:
    """Writes a decision down, with its reason, before anything comes of it; gives the line's id."""
    with project.engine.begin() as connection:
        return decisions.note(
            connection,
            project.clock(),
            started=decision.start,
            triggers=decision.triggers,
            reason="; ".join(filter(None, (decision.reason, decision.remarks))),
        )


def came_of(project: Project, noted: str, **changes: Any) -> None:
    """Adds to a decision what came of it: the turn, or that none could start after all."""
    with project.engine.begin() as connection:
        decisions.change(connection, noted, **changes)


def list_decisions(project: Project, limit: int = 50) -> dict[str, Any]:
    """The object that `vitok turns decisions --json` prints: newest first."""
    with project.engine.connect() as connection:
        found = decisions.newest(connection, limit)
    return {
        "decisions": [
            {
                "time": format_time(each.time),
                "until": format_time(each.until),
                "looks": each.looks,
                "started": each.started,
                "triggers": each.triggers,
                "reason": each.reason,
                "turn": each.turn,
            }
            for each in found
        ]
    }


def _with_labels(project: Project, journal: JournalReader, decision: Decision, guards: Guards) -> Decision:
    """Holds a turn back whose newest labels contradict the champion's scores; read only when a turn would start."""
    why, remarks = labels_distrusted(project, journal)
    if why is not None and not guards.trains_suspect:
        reason = (
            f"{decision.reason}; but {why}, and a turn would learn that: mend the labels, or start it by hand"
        )
        return replace(decision, start=False, reason=reason)
    return replace(decision, remarks="; ".join(filter(None, (why, remarks))))


def _facts(
    project: Project,
    journal: JournalReader,
    alerts: Mapping[str, Any],
    triggers: Sequence[Trigger],
    release: releases.Release,
) -> Facts:
    now, retrain = project.clock(), project.charter.retrain
    with project.engine.connect() as connection:
        under_way = rollouts.current(connection)
        past = turns.all_turns(connection)
        accepted = versions.get(connection, release.version).metrics
        final = remembered.last_windows(connection, retrain.confirmed[1], state="final")
        recent = remembered.recent_metrics(connection, release.version, now, retrain.confirmed[1])
        handled = handlings.find(connection, list(alerts))
    last = past[-1].started if past else release.created
    changed = _changed(project, past[-1] if past else None, triggers, release)
    return Facts(
        now=now,
        turns=[turn.started for turn in past] or [release.created],
        alarms=frozenset(alert.kind for alert in alerts.values() if alert.severity == "alarm"),
        quality=[_estimates(window["quality"]) for window in final],
        estimated=[_estimates(estimated) for estimated, _ in reversed(recent)],
        accepted={name: found["value"] for name, found in accepted.items()},
        new_labels=journal.labels_since(last, now),
        rules=_rules(project, journal, triggers, release.plan.champion.digest, accepted, final),
        changed=changed,
        releasing=None if under_way is None else under_way.version,
        suspect=_suspect(alerts, handled),
    )


def _estimates(found: Mapping[str, Any]) -> dict[str, Estimate]:
    return {
        name: Estimate(**each)
        for name, each in found.items()
        if isinstance(each, Mapping) and "method" in each
    }


def _suspect(alerts: Mapping[str, Any], handled: Mapping[str, Any]) -> list[str]:
    """Inputs that look broken, unless somebody has taken the alert on."""
    found: dict[str, None] = {}
    for key, alert in alerts.items():
        is_new = handled[key].acknowledged is None if key in handled else True
        if alert.severity == "alarm" and alert.runbook == BROKEN_INPUTS and is_new:
            found |= dict.fromkeys(alert.what)
    return list(found)


def _changed(
    project: Project, last: turns.Turn | None, triggers: Sequence[Trigger], release: releases.Release
) -> frozenset[str]:
    """What is not as it was when the last turn began; of a turn that nothing was kept of, nothing is known."""
    found = set()
    if last is not None and "sources" in last.pins and last.pins["sources"] != fingerprint(project):
        found.add("new_data")
    if last is not None and Changed("charter") in triggers and last.charter != project.document.digest:
        with project.engine.connect() as connection:
            known = {each.digest: each.content for each in charters.all_charters(connection)}
        before = known.get(last.charter)
        if before is not None and criteria_changes(before, project.charter.as_json()):
            found.add("charter")
    made = load_manifest(project.blobs, release.plan.champion.digest).environment
    if Changed("libraries") in triggers and changed_libraries(made):
        found.add("libraries")
    return frozenset(found)


def _rules(
    project: Project,
    journal: JournalReader,
    triggers: Sequence[Trigger],
    digest: str,
    accepted: Mapping[str, Any],
    final: list[dict[str, Any]],
) -> frozenset[Comparison]:
    """Triggers over slices or periods that hold at the end of the last final window."""
    asked = [
        t for t in triggers if isinstance(t, Comparison) and (t.part is not None or t.period is not None)
    ]
    if not asked or not final:
        return frozenset()
    span = (final[0]["start"], final[0]["end"])
    manifest = load_manifest(project.blobs, digest)
    figures = {name: found["value"] for name, found in accepted.items()}
    found = judge_rules(project, journal, asked, span, manifest, digest, figures)
    return frozenset(rule for rule, finding in found.items() if finding.alarm)
