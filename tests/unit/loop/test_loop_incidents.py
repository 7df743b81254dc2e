"""Incidents in a project: opened once, tied to what belongs to them, first aid, freeze, what people do, the draft."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from examples import flight_bundle
from rollouts import START, ends, two_versions
from vitok.errors import CharterMistake, NotFound, Refused, UserMistake
from vitok.govern import audit
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.kernel.ids import new_id
from vitok.loop import incidents as room
from vitok.loop.alerts import acknowledge, close_alert
from vitok.loop.incident_acts import (
    add_action,
    close_incident,
    finish_action,
    list_incidents,
    note_incident,
    open_incident,
    show_incident,
)
from vitok.loop.incidents import look_after_incidents
from vitok.loop.notify import list_events
from vitok.loop.policy import policy_of
from vitok.loop.postmortem import post_mortem
from vitok.loop.release import release_at_once
from vitok.loop.rollout import release_version
from vitok.loop.tick import tick
from vitok.loop.way import way_of
from vitok.monitor.alerts import Alert
from vitok.registry import incidents, releases, rollouts, turns, versions
from vitok.registry import windows as remembered
from vitok.release.decide import Decider
from vitok.release.plan import Plan
from vitok.release.rollout import Move
from vitok.report.postmortem import post_mortem_markdown
from vitok.store import schema

HOUR = timedelta(hours=1)
TOLD = "notify: [{url: 'https://example.org/hook', on: [incident]}]\n"


def made(folder, more=TOLD):
    found = two_versions(folder, VirtualClock(START), "alpha: 0.05", more=more)
    later(found, 2)
    return found


@pytest.fixture
def project(tmp_path):
    return made(tmp_path)


def later(project, hours=1):
    project.clock.move_to(project.clock() + hours * HOUR)


def alarm(project, kind="quality", severity="alarm", since=None, what=("roc_auc",)):
    now = project.clock()
    key = new_id(now)
    alert = Alert(
        kind, severity, since or now - HOUR, now, now, what, "roc_auc fell.", "Retrain.", "run-book"
    )
    with project.engine.begin() as connection:
        remembered.save_alert(connection, key, alert)
    return key


def resolve(project, key):
    with project.engine.begin() as connection:
        alert = remembered.load_alerts(connection)[key]
        remembered.update_alert(connection, key, replace(alert, resolved=project.clock()))


def failed_turn(project, state="failed", actor="vitok"):
    now = project.clock()
    turn = new_id(now)
    with project.engine.begin() as connection:
        turns.begin(connection, turn, now=now, as_of=now, trigger="drift", charter="c", actor=actor)
        turns.advance(connection, turn, state=state, ended=now, message="in stage data: no rows")
    return turn


def listed(project, **how):
    return list_incidents(project, **how)["incidents"]


def test_alarm_told_again_opens_no_second_incident_and_a_notice_opens_none(project):
    alarm(project, severity="notice", kind="drift")
    key = alarm(project)
    assert [step.happened for step in look_after_incidents(project)] == [("opened",)]
    later(project)
    assert look_after_incidents(project) == []
    (found,) = listed(project)
    assert (found["kind"], found["severity"], found["state"]) == ("quality", "high", "open")
    assert {"kind": "alert", "name": key} in show_incident(project, 1)["links"]
    told = [event for event in list_events(project, dead=False)["events"] if event["kind"] == "incident"]
    assert [event["data"]["happened"] for event in told] == ["opened"]


def test_time_line_is_kept_until_the_trouble_is_over(project):
    key = alarm(project)
    look_after_incidents(project)
    later(project)
    acknowledge(project, key, note="on it", actor="ada")
    later(project)
    release_at_once(project, 2, actor="ada")
    later(project)
    close_alert(project, key, note="mended", actor="ada")
    look_after_incidents(project)
    found = show_incident(project, 1)
    assert [note["kind"] for note in found["time_line"]] == [
        "alert",
        "opened",
        "acknowledged",
        "release",
        "recovered",
        "resolved",
    ]
    assert {"kind": "version", "name": "2"} in found["links"]
    assert found["seconds_to"] == {"detect": 3600.0, "recover": 3 * 3600.0}
    assert look_after_incidents(project) == []
    assert list_incidents(project)["mean_seconds_to"] == {"detect": 3600.0, "recover": 3 * 3600.0}


def test_machines_turn_that_fails_opens_one_until_a_turn_comes_through(project):
    failed_turn(project, actor="ada")
    assert look_after_incidents(project) == []
    failed_turn(project)
    failed_turn(project)
    look_after_incidents(project)
    (found,) = listed(project)
    assert (found["kind"], found["state"]) == ("turn", "open")
    later(project)
    failed_turn(project, "refused")
    look_after_incidents(project)
    assert listed(project)[0]["state"] == "recovered"


def test_rollout_that_is_taken_back_opens_one_that_has_recovered(project):
    with project.engine.begin() as connection:
        planned = {"version": 2, "champion": 1, "now": START, "actor": "ada"}
        rollout = rollouts.begin(connection, **planned, way=way_of(project, "canary", None), baseline={})
        back = Move("rolled back", 0, "errors rose")
        rollouts.move(
            connection, rollout, back, START + HOUR, actor="vitok", epoch=None, evidence=None, seen={}
        )
    later(project)
    look_after_incidents(project)
    (found,) = listed(project)
    assert (found["kind"], found["state"]) == ("rollback", "recovered")
    assert found["seconds_to"] == {"detect": 3600.0, "recover": 0.0}


FIRST_AID = TOLD + "incidents: {first_aid: [rollback], freeze: high}\n"


def test_first_aid_goes_back_once_if_quality_fell_after_the_release(tmp_path):
    project = made(tmp_path, FIRST_AID)
    later(project)
    release_at_once(project, 2, actor="ada")
    later(project, 3)
    alarm(project)
    for _ in range(3):
        look_after_incidents(project)
        later(project)
    with project.engine.connect() as connection:
        history = releases.all_releases(connection)
    assert [(each.version, each.strategy) for each in history][-2:] == [(2, "immediate"), (1, "rollback")]
    texts = [note["text"] for note in show_incident(project, 1)["time_line"]]
    assert "Went back to version 1" in texts
    assert any("first aid of incident 1" in text for text in texts)


def test_first_aid_goes_back_from_a_champion_whose_canary_has_ended_by_itself(tmp_path):
    """The end of a canary is no rollback of the champion, which came before the trouble."""
    project = made(tmp_path, FIRST_AID)
    release_at_once(project, 2, actor="ada")
    later(project)
    third = flight_bundle(project.blobs, 0.2)
    with project.engine.begin() as connection:
        facts = {"gates": [], "metrics": {}, "summary": {}, "created": START, "turn": "t3"}
        versions.register(connection, digest=third, verdict="accepted", **facts)
    release_version(project, MemoryLedger(), 3, actor="ada")
    later(project)
    ends(project, "rolled back")
    later(project, 4)
    alarm(project)
    look_after_incidents(project)
    with project.engine.connect() as connection:
        assert releases.current(connection).version == 1


def test_no_first_aid_if_quality_fell_before_the_release(tmp_path):
    project = made(tmp_path, FIRST_AID.replace(", freeze: high", ""))
    later(project, 5)
    release_at_once(project, 2, actor="ada")
    alarm(project, since=START + HOUR)
    look_after_incidents(project)
    with project.engine.connect() as connection:
        assert releases.current(connection).version == 2


SAFE = TOLD + "serve: {fallback: [previous, hand_over]}\nincidents: {first_aid: [rollback, fallback]}\n"


def test_the_fallback_answers_if_going_back_is_no_help_until_it_is_over(tmp_path):
    project = made(tmp_path, SAFE)
    later(project, 5)
    key = alarm(project, since=START - HOUR)  # it began before the release: the version is not the cause
    for _ in range(2):
        look_after_incidents(project)
        later(project)
    with project.engine.connect() as connection:
        release = releases.current(connection)
    assert (release.version, release.strategy, release.evidence) == (1, "fallback", {"incident": 1})
    plan = Plan.from_json((project.state / "plan.json").read_bytes())
    judge = Decider(plan.policy, lambda name: lambda row: row[name], 0.5, None)
    (decision,) = judge.decide([{}], [0.9], [True], None, ["N14228"])
    assert (decision.action, decision.reason) == ("hand_over", "first aid of incident 1")
    resolve(project, key)
    look_after_incidents(project)
    look_after_incidents(project)
    with project.engine.connect() as connection:
        history = releases.all_releases(connection)
    assert [each.strategy for each in history] == ["immediate", "fallback", "fallback ended"]
    assert history[-1].plan.policy == policy_of(project.document)
    texts = [note["text"] for note in show_incident(project, 1)["time_line"]]
    assert any("Every row gets the fallback" in text for text in texts)
    assert "The model answers again" in texts


def judged(project, *fell):
    """Windows of an hour each from now on, held against acceptance; the clock moves along."""
    for metrics in fell:
        now = project.clock()
        with project.engine.begin() as connection:
            about = {"start": now, "end": now + HOUR, "state": "final", "rows": 500, "labelled": 500}
            details = {} if metrics is None else {"fell": metrics}
            remembered.save_window(
                connection, **about, version=1, drift=[], quality={}, details={"digest": "d", **details}
            )
        later(project)


@pytest.mark.parametrize(
    ("fell", "helps"),
    [
        (([], []), True),
        ((["roc_auc"],), True),
        ((["roc_auc"], []), True),
        ((["roc_auc"], None, []), True),
        ((["roc_auc"], ["roc_auc"]), False),
        (([], ["roc_auc"], None, ["roc_auc"]), False),
    ],
)
def test_the_fallback_answers_if_going_back_was_no_help(tmp_path, fell, helps):
    project = made(tmp_path, SAFE)
    later(project)
    release_at_once(project, 2, actor="ada")
    later(project, 3)
    judged(project, ["roc_auc"], ["roc_auc"])  # of the version that is taken back
    key = alarm(project)
    look_after_incidents(project)
    judged(project, *fell)
    for _ in range(3):
        look_after_incidents(project)
    with project.engine.connect() as connection:
        history = [each.strategy for each in releases.all_releases(connection)]
    assert history == ["immediate", "immediate", "rollback"] + ["fallback"] * (not helps)
    resolve(project, key)
    look_after_incidents(project)
    look_after_incidents(project)
    texts = [note["text"] for note in show_incident(project, 1)["time_line"] if note["kind"] == "first aid"]
    answered = [
        "Every row gets the fallback until this is over or a version is released",
        "The model answers again",
    ]
    assert texts == ["Went back to version 1", *([] if helps else answered)]


def test_a_release_ends_the_fallback_and_closing_the_incident_changes_nothing_then(tmp_path):
    project = made(tmp_path, SAFE)
    later(project, 5)
    key = alarm(project, since=START - HOUR)
    look_after_incidents(project)
    later(project)
    assert release_at_once(project, 2, actor="ada").plan.policy == policy_of(project.document)
    resolve(project, key)
    look_after_incidents(project)
    with project.engine.connect() as connection:
        assert releases.current(connection).version == 2


def test_first_aid_by_a_fallback_that_is_not_there_is_a_mistake_of_the_charter(tmp_path):
    with pytest.raises(CharterMistake, match=r"serve\.fallback names no answer"):
        made(tmp_path, "incidents: {first_aid: [fallback]}\n")


def test_what_a_turn_came_to_while_releases_were_frozen_is_released_when_that_is_over(tmp_path):
    project = made(tmp_path, "incidents: {freeze: high, close: by_itself}\n")
    key = alarm(project)
    look_after_incidents(project)
    now = project.clock()
    with project.engine.begin() as connection:
        about = {"now": now, "as_of": now, "trigger": "drift", "charter": "", "actor": "vitok"}
        turns.begin(connection, "t2", **about)
        turns.advance(connection, "t2", state="accepted", ended=now, version=2)
    look = partial(tick, project, MemoryLedger(), [])
    assert look().event is None
    with project.engine.connect() as connection:
        assert releases.current(connection).version == 1
    resolve(project, key)
    later(project)
    found = [look(), look()]
    assert [each.version for each in found if each.event in ("promoted", "releasing")] == [2]


def test_nothing_is_released_while_something_grave_goes_on(tmp_path):
    project = made(tmp_path, "incidents: {freeze: high}\n")
    key = alarm(project)
    look_after_incidents(project)
    with pytest.raises(Refused, match=r"incident 1 \(high: Quality: roc_auc\) goes on, and freezes releases"):
        release_at_once(project, 2, actor="ada")
    release_at_once(project, 1, actor="ada")  # what is in production may be published again
    later(project)
    resolve(project, key)
    look_after_incidents(project)
    assert release_at_once(project, 2, actor="ada").version == 2


def test_cut_off_at_any_write_it_is_made_up_for_by_the_next_look(tmp_path, monkeypatch):
    """A process that dies leaves whole steps or nothing, and the next one ends where it would have ended."""
    calls = 0

    def dying(function, at):
        def wrapped(*args, **how):
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt
            return function(*args, **how)

        return wrapped

    for at in range(1, 18):
        folder = tmp_path / str(at)
        folder.mkdir()
        project = made(folder)
        alarm(project)
        alarm(project, kind="volume", what=("rows",))
        calls = 0
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            for name in ("begin", "note", "link"):
                patch.setattr(room.incidents, name, dying(getattr(room.incidents, name), at))
            patch.setattr(room.audit, "record", dying(room.audit.record, at))
            patch.setattr(room, "emit", dying(room.emit, at))
            look_after_incidents(project)
        look_after_incidents(project)
        assert sorted(each["kind"] for each in listed(project)) == ["quality", "volume"]
        for number in (1, 2):
            kinds = [note["kind"] for note in show_incident(project, number)["time_line"]]
            assert sorted(kinds) == ["alert", "opened"]
        assert len(list_events(project, dead=False)["events"]) == 2
        with project.engine.connect() as connection:
            assert audit.verify(connection) is None
        project.engine.dispose()
    assert calls < at, "every write was cut off once"


def test_two_who_look_at_the_same_moment_open_one(project, monkeypatch):
    alarm(project)
    known = room.next_steps

    def beaten(*args):
        found = known(*args)
        monkeypatch.setattr(room, "next_steps", known)
        look_after_incidents(project)
        return found

    monkeypatch.setattr(room, "next_steps", beaten)
    assert look_after_incidents(project) == []
    assert len(listed(project)) == 1


def test_people_open_note_and_close_and_all_of_it_is_in_the_audit_log(project):
    opened = open_incident(project, "feed is late", severity="critical", actor="ada")
    assert (opened["number"], opened["severity"], opened["state"]) == (1, "critical", "open")
    later(project)
    note_incident(project, 1, "restarts at noon", actor="bob")
    closed = close_incident(project, 1, "a cable", actor="ada")
    assert (closed["state"], closed["conclusion"], closed["closed_by"]) == ("closed", "a cable", "ada")
    assert closed["seconds_to"]["recover"] == 3600.0
    with pytest.raises(UserMistake, match="was closed by ada: a cable"):
        close_incident(project, 1, "again", actor="bob")
    with pytest.raises(UserMistake, match="--cause: says nothing"):
        close_incident(project, 1, " ", actor="bob")
    with pytest.raises(NotFound, match="The newest is 1"):
        show_incident(project, 9)
    assert listed(project) == []
    assert [each["number"] for each in listed(project, closed=True)] == [1]
    with project.engine.connect() as connection:
        rows = connection.execute(schema.audit.select()).all()
    acts = [(row.actor, row.action) for row in rows if row.subject == "incident 1"]
    assert acts == [("ada", "incident opened"), ("bob", "incident noted"), ("ada", "incident closed")]


def test_actions_are_followed_to_their_end(project):
    open_incident(project, "feed is late", severity=None, actor="ada")
    due = project.clock() + 2 * HOUR
    add_action(project, 1, "alert on the feed", owner="bob", due=due, actor="ada")
    close_incident(project, 1, "a cable", actor="ada")
    assert [(a["owner"], a["overdue"]) for a in list_incidents(project)["actions"]] == [("bob", False)]
    later(project, 3)
    for _ in range(2):
        look_after_incidents(project)
    told = [event["data"] for event in list_events(project, dead=False)["events"]]
    assert [each["owner"] for each in told if each["happened"] == "action 1 is overdue"] == ["bob"]
    assert list_incidents(project)["actions"][0]["overdue"] is True
    done = finish_action(project, 1, 1, actor="bob")
    finish_action(project, 1, 1, actor="eve")  # who was first stays
    assert [(a["done_by"], a["overdue"]) for a in done["actions"]] == [("bob", False)]
    assert list_incidents(project)["actions"] == []
    with pytest.raises(NotFound, match="action 2 of incident 1"):
        finish_action(project, 1, 2, actor="bob")


def test_post_mortem_tells_what_happened_what_it_did_and_what_is_to_be_done(project):
    later(project)
    release_at_once(project, 2, actor="ada")
    later(project, 2)
    key = alarm(project, what=("a|b",))
    look_after_incidents(project)
    add_action(project, 1, "watch <units>", owner="bob", due=project.clock() + HOUR, actor="ada")
    later(project, 5)
    resolve(project, key)
    look_after_incidents(project)
    found = post_mortem(project, MemoryLedger(), 1)
    assert found["impact"] == {"rows": 0, "by_action": {}, "windows": 0, "lost": None}
    text = post_mortem_markdown(found)
    assert text.startswith("# flights, incident 1: Quality: a\\|b\n")
    assert "| Recovered | 2013-03-01 10:00 UTC, 5.0 h after it was detected |" in text
    assert "- roc\\_auc fell. Retrain." in text
    assert "- 2013-03-01 03:00 UTC: version 2 came into force (immediate)" in text
    assert "- [ ] 1. watch \\<units\\> (bob, due 2013-03-01, overdue)" in text
    assert "(Not concluded yet.)" in text


def test_old_trouble_that_is_over_is_history(project):
    key = alarm(project)
    later(project)
    resolve(project, key)
    later(project, 24 * 8)
    assert look_after_incidents(project) == []
    with project.engine.connect() as connection:
        assert incidents.all_since(connection) == []
