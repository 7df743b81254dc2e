"""What incidents are about: alarms, roll-outs that were taken back, turns that failed; and what else belongs to one."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from vitok.kernel.clock import format_time
from vitok.loop.approving import MACHINES
from vitok.loop.delivery import shown
from vitok.monitor.alerts import Alert
from vitok.monitor.incidents import Incident, Signal, Source
from vitok.registry import decisions, events, handlings, releases, rollouts, turns, versions
from vitok.registry import windows as remembered
from vitok.registry.incidents import Note
from vitok.registry.releases import Release

ALERT, ROLLOUT, FAILED_TURN = "alert", "roll-out", "failed turn"
_LOOK_BACK = timedelta(days=7)  # what ended longer ago, and nobody wrote down, is history
_AFTERWARDS = timedelta(days=1)  # what still belongs to a time line once the cause is gone
_DONE = ("accepted", "refused", "waiting")
_DECISIONS = 50
_LONGEST_TITLE = 120


class Belonging(NamedTuple):
    """What belongs to an incident: lines of its time line, and what it is tied to."""

    notes: list[Note]
    links: list[Source]


def all_signals(
    connection: Connection, now: datetime, pending: Sequence[Incident], seen: Collection[Source]
) -> list[Signal]:
    """All that is not over, all that ended lately, and all that the incidents are tied to that are not closed."""
    since = min([now - _LOOK_BACK, *(incident.began for incident in pending)])
    alerts = remembered.load_alerts(connection, resolved_after=since)
    found = [_of_alert(key, alert) for key, alert in alerts.items() if alert.severity == "alarm"]
    found += _of_rollouts(connection, since)
    return [*found, *_of_turns(connection, since, seen)]


def _of_alert(key: str, alert: Alert) -> Signal:
    if alert.kind == "security":
        cause, title = f"security:{alert.what[0]}", f"Security: {alert.what[0]}"
    else:
        cause, title = alert.kind, f"{alert.kind.capitalize()}: {', '.join(alert.what)}"
    sentence = f"Alarm: {alert.sentence}"
    return Signal(
        (ALERT, key),
        cause[:300],
        alert.kind,
        _cut(title),
        sentence,
        alert.since,
        alert.opened,
        alert.resolved,
    )


def _of_rollouts(connection: Connection, since: datetime) -> Iterator[Signal]:
    """Roll-outs that their limits took back: the champion answers again, so the trouble is over when it is noticed."""
    for rollout in rollouts.all_rollouts(connection):
        if rollout.state != "rolled back" or rollout.ended is None or rollout.ended < since:
            continue
        reason = rollouts.all_transitions(connection, rollout.number)[-1].reason
        title = f"Version {rollout.version} was taken back"
        cause, at = f"roll-out {rollout.number}", rollout.ended
        source = (ROLLOUT, str(rollout.number))
        yield Signal(source, cause, "rollback", title, f"{title}: {reason}", rollout.started, at, at)


def _of_turns(connection: Connection, since: datetime, seen: Collection[Source]) -> Iterator[Signal]:
    """Turns that nobody sat at and that failed; over when they are gone on with, or when a later one comes through."""
    known = turns.all_turns(connection)
    for turn in known:
        is_linked = (FAILED_TURN, turn.id) in seen
        failed = turn.state == "failed" and turn.actor in MACHINES and turn.ended is not None
        if turn.ended is None or not (is_linked or (failed and turn.ended >= since)):
            continue
        through = [each for each in known if each.number >= turn.number and each.state in _DONE]
        over = through[0].ended if through else None
        title, sentence = f"Turn {turn.number} failed", f"Turn {turn.number} failed {turn.message}"
        yield Signal((FAILED_TURN, turn.id), "turn", "turn", title, sentence, turn.started, turn.ended, over)


def belonging(
    connection: Connection, incident: Incident, links: Sequence[Source], now: datetime
) -> Belonging:
    """What happened while an incident went on and on the day after: told, acknowledged, released, tried, resolved."""
    until = now if incident.recovered is None else min(now, incident.recovered + _AFTERWARDS)
    found = Belonging([], [])
    alerts = [target for kind, target in links if kind == ALERT]
    _add_alerts(connection, incident, alerts, found)
    _add_releases(connection, incident, until, found)
    _add_turns(connection, incident, until, found)
    return found


def is_active(incident: Incident, now: datetime) -> bool:
    """Whether something may still belong to an incident by itself."""
    return incident.recovered is None or now - incident.recovered <= _AFTERWARDS


def _add_alerts(connection: Connection, incident: Incident, keys: list[str], found: Belonging) -> None:
    known = remembered.load_alerts(connection, resolved_after=incident.began) if keys else {}
    handled = handlings.find(connection, keys) if keys else {}
    for key in keys:
        did, alert = handled.get(key), known.get(key)
        if did is not None and did.acknowledged is not None:
            text = f"Alert {key[-6:]} is looked after{f': {did.note}' if did.note else ''}"
            by = did.acknowledged_by or ""
            found.notes.append(Note(f"acknowledged {key}", did.acknowledged, "acknowledged", by, text))
        if alert is not None and alert.resolved is not None:
            by = "" if did is None else did.closed_by or ""
            at = format_time(alert.resolved)
            found.notes.append(
                Note(f"resolved {key} {at}", alert.resolved, "resolved", by, f"Alert {key[-6:]} ended")
            )
    subjects = [*(f"alert {key}" for key in keys), f"incident {incident.number}"]
    for event in (each for subject in subjects for each in events.about(connection, subject)):
        if event.state == events.DELIVERED:
            text = f"{shown(event.url)} was told of {event.subject.partition(' ')[0]}"
            found.notes.append(Note(f"told {event.id}", event.time, "told", "", text))


def _add_releases(connection: Connection, incident: Incident, until: datetime, found: Belonging) -> None:
    history = releases.all_releases(connection)
    before = [release for release in history if release.created <= incident.began]
    for release in [*before[-1:], *(each for each in history if incident.began < each.created <= until)]:
        found.links.extend(_ties_of(connection, release))
        if release.created > incident.began:
            reason = release.evidence.get("reason", "")
            text = f"Version {release.version} answers by default ({release.strategy})"
            text += f": {reason}" if reason else ""
            about = f"release {release.epoch}"
            kind = "rollback" if release.strategy == "rollback" else "release"
            found.notes.append(Note(about, release.created, kind, release.actor, text))


def _ties_of(connection: Connection, release: Release) -> list[Source]:
    version = versions.get(connection, release.version)
    ties = [("release", str(release.epoch)), ("version", str(release.version))]
    data = version.summary.get("data", {}).get("digest")
    return [*ties, ("data", str(data)[:100])] if data else ties


def _add_turns(connection: Connection, incident: Incident, until: datetime, found: Belonging) -> None:
    for decided in decisions.newest(connection, _DECISIONS):
        if not incident.detected <= decided.time <= until:
            continue
        found.links.append(("decision", decided.id))
        what = "A turn is due" if decided.started else "No turn"
        text = f"{what}: {decided.reason}"
        found.notes.append(Note(f"decision {decided.id}", decided.time, "decision", "", text))
    for turn in turns.all_turns(connection):
        if not incident.detected <= turn.started <= until:
            continue
        found.links.append(("turn", str(turn.number)))
        text = f"Turn {turn.number} began: {turn.trigger}"
        found.notes.append(Note(f"turn {turn.id}", turn.started, "turn", turn.actor, text))
        if turn.ended is not None and turn.state != "running":
            text = f"Turn {turn.number} ended: {turn.state} {turn.message}".rstrip()
            found.notes.append(Note(f"turn {turn.id} {turn.state}", turn.ended, "turn", "", text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 4]} ..."
