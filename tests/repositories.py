"""Every repository at work, in one transaction: what it gives is the same on every database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from vitok.charter.expressions import Ask
from vitok.govern import audit, checkpoints
from vitok.monitor.alerts import Alert
from vitok.monitor.incidents import Incident
from vitok.registry import (
    charters,
    decisions,
    efforts,
    events,
    handlings,
    incidents,
    keys,
    questions,
    requests,
    steps,
    turns,
    users,
    wanted,
    windows,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def exercise(connection: Connection) -> list[Any]:
    """Writes to each repository, and gives all that is read back."""
    parts = (_loop, _people, _watching, _incidents)
    return [found for part in parts for found in part(connection)]


def _loop(connection: Connection) -> list[Any]:
    for digest in ("a", "a", "b", "a"):
        charters.keep(connection, NOW, "ada", digest, {"goal": digest, "ünknown": [1.5, None, True]})
    about: Any = {"now": NOW, "as_of": NOW, "trigger": "by API, 1: rows", "charter": "a", "pins": {"x": 1}}
    number = turns.begin(connection, "t1", **about, quick=True)
    for _ in range(2):
        steps.begin(connection, "t1", "data", NOW)
    steps.change(connection, "t1", "data", ended=NOW + HOUR, outputs={"rows": 3})
    for hours, reason in enumerate(("nothing new", "nothing new", "a look")):
        decisions.note(connection, NOW + hours * HOUR, started=False, triggers=("drift",), reason=reason)
    wants = [wanted.ask(connection, key, NOW, "ada", "rows") for key in ("k", "k", "other")]
    efforts.add(connection, efforts.Effort("e1", NOW, "ada", 2.5, None, "looked"))
    made = [replace(each, id="") for each in decisions.newest(connection, 5)]
    return [
        charters.all_charters(connection),
        charters.number_of(connection, "a"),
        number,
        turns.get(connection, "1"),
        steps.of_turn(connection, "t1"),
        made,
        wants,
        wanted.oldest(connection),
        efforts.all_efforts(connection),
    ]


def _people(connection: Connection) -> list[Any]:
    keys.add(connection, keys.StoredKey("ci", "d", ["predict"], NOW, None, 1.5, 10**9, None))
    users.add(connection, "ada", "hash", NOW)
    for _ in range(3):
        users.fail(connection, "subject", NOW, NOW - HOUR)
    questions.ask(connection, NOW, 1, "d", {2: Ask("domain_expert", "Plausible?")})
    questions.answer(connection, "1.2", NOW, yes=True, actor="olga", reason="it is")
    values = {"version": 1, "digest": "d", "champion": None, "risk": "high", "asked": NOW, "author": "bob"}
    values |= {"actor": "bob", "strategy": None, "flag": None, "shown": {"gates": []}, "evidence": "e"}
    asked = requests.ask(connection, values, ["domain_expert", "product_owner"], NOW + HOUR)
    requests.answer(connection, "r1.2", answer="yes", answered=NOW, actor="pavlo", reason="")
    requests.use_link(connection, "digest", "r1.2", "pavlo", NOW)
    for number in range(3):
        audit.record(connection, NOW, "ada", "act", f"thing {number}", {"é": number})
    return [
        keys.all_keys(connection),
        users.all_users(connection),
        users.failures(connection, "subject"),
        questions.all_questions(connection),
        asked,
        requests.approvals_of(connection, 1),
        requests.is_used(connection, "digest"),
        list(audit.lines(connection, action="AC", subject="thing 2")),
        list(audit.problems(connection)),
        checkpoints.make(connection, NOW, b"secret"),
    ]


def _watching(connection: Connection) -> list[Any]:
    for number in range(3):
        quality = {"roc_auc": {"value": 0.7, "high": float("inf")}}
        details = {"estimated": {"roc_auc": {"value": -float("inf")}}}
        details |= {"outcomes": number} if number else {}
        windows.save_window(
            connection,
            start=NOW + number * HOUR,
            end=NOW + (number + 1) * HOUR,
            state="final",
            rows=10,
            labelled=5,
            version=1,
            drift=[{"feature": "temp"}],
            quality=quality,
            details=details,
        )
    alert = Alert("drift", "alarm", NOW, NOW, NOW, ("temp",), "temp moved.", "Look.")
    windows.save_alert(connection, "a1", alert)
    handlings.change(connection, "a1", acknowledged=NOW, acknowledged_by="ada")
    seen = windows.load_alerts(connection)
    handlings.close(connection, "a1", NOW + HOUR, "ada", "seen")
    event = events.Event("1", NOW, "alert", "alert a1", {"x": 1}, "u", None, 0, NOW, events.WAITING, "")
    for each in (event, event, replace(event, id="2", url="v", state=events.DEAD)):
        events.put(connection, each)
    return [
        windows.all_windows(connection),
        windows.window_states(connection),
        windows.recent_metrics(connection, 1, NOW + 9 * HOUR, 2),
        windows.counts(connection, NOW),
        windows.metric_series(connection, "roc_auc", NOW + HOUR),
        windows.metric_details(connection, "roc_auc", NOW + HOUR),
        windows.last_details(connection, "outcomes", before=NOW + 2 * HOUR),
        seen,
        windows.load_alerts(connection),
        windows.load_alerts(connection, resolved_after=NOW),
        handlings.find(connection, ["a1"]),
        events.claim_due(connection, NOW, NOW + HOUR, 10),
        events.claim_due(connection, NOW, NOW + HOUR, 10),
        events.last_told(connection, "alert", "alert a1", "u"),
        events.revive(connection, NOW),
        events.find(connection, [events.WAITING], 5),
    ]


def _incidents(connection: Connection) -> list[Any]:
    first = Incident(0, "quality", "quality", "high", "fell", "vitok", NOW, NOW)
    begun = incidents.begin(connection, first)
    over = replace(begun, recovered=NOW + HOUR)
    changed = [incidents.change(connection, begun, over), incidents.change(connection, begun, over)]
    again = incidents.begin(connection, first)
    for _ in range(2):
        incidents.note(connection, 1, incidents.Note("told " + "x" * 400, NOW, "told", "", "ö"))
        incidents.link(connection, 1, ("alert", "a1"))
        incidents.add_action(connection, 1, text="mend", owner="ada", due=NOW, now=NOW)
    incidents.finish_action(connection, 1, 2, NOW, "bob")
    return [
        begun,
        changed,
        again,
        incidents.all_pending(connection),
        incidents.notes_of(connection, 1),
        incidents.all_links(connection),
        incidents.open_actions(connection),
        incidents.actions_of(connection, 1),
    ]
