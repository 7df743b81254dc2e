"""Two who act at once, and ways back: what each of them saw decides, and nobody goes back one too far."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from examples import flight_bundle
from rollouts import START, ends, two_versions
from vitok.errors import Busy, Fault, NotFound
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop import release as release_module
from vitok.loop import rollout as module
from vitok.loop.keep import watch_once
from vitok.loop.release import publish_plan, release_at_once
from vitok.loop.rollback import PENDING_FILE, record_pending, roll_back
from vitok.loop.rollout import end_by_hand, release_version
from vitok.registry import releases, rollouts, versions
from vitok.release.plan import Plan
from vitok.wire import open_project

LATER = timedelta(hours=3)


@pytest.fixture
def project(tmp_path):
    """Versions 1 to 3, all accepted; version 2 is in production, and 1 was before."""
    project = two_versions(tmp_path, VirtualClock(START))
    third = flight_bundle(project.blobs, 0.2)
    with project.engine.begin() as connection:
        facts = {"gates": [], "metrics": {}, "summary": {}, "created": START, "turn": "t3"}
        versions.register(connection, digest=third, verdict="accepted", **facts)
    release_at_once(project, 2, actor="ada")
    yield project
    project.engine.dispose()


def roll_out(project, number=3, strategy=None):
    return release_version(project, MemoryLedger(), number, strategy=strategy, actor="ada").rollout


def now(project):
    with project.engine.connect() as connection:
        return releases.current(connection)


def history(project):
    with project.engine.connect() as connection:
        found = rollouts.all_rollouts(connection)
        return [[step.state for step in rollouts.all_transitions(connection, each.number)] for each in found]


def back(project, away=None, who="bob"):
    return end_by_hand(project, actor=who, reason="smoke", away=away)


def both(project, act):
    """What two threads get who act at the same moment, each with connections of its own."""
    told = {}

    def work(who):
        own = open_project(project.folder, clock=project.clock)
        try:
            told[who] = act(own, who)
        except Busy as error:
            told[who] = error
        finally:
            own.engine.dispose()

    threads = [threading.Thread(target=work, args=(who,)) for who in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def meet(monkeypatch, where, name):
    """Lets two threads go on from a function at the same moment only."""
    gate, real = threading.Barrier(2, timeout=30), getattr(where, name)

    def together(*given):
        found = real(*given)
        gate.wait()
        return found

    monkeypatch.setattr(where, name, together)


@pytest.mark.parametrize("strategy", ["canary", "blue-green", "immediate"])
def test_of_two_operators_at_the_same_moment_one_wins_and_the_other_is_told(project, monkeypatch, strategy):
    before = now(project).epoch
    meet(monkeypatch, release_module if strategy == "immediate" else module, "back_up_before_release")

    def act(own, who):
        return release_version(own, MemoryLedger(), 3, strategy=strategy, actor=who)

    told = both(project, act)
    ((loser, error),) = [(who, each) for who, each in told.items() if isinstance(each, Busy)]
    winner = "bob" if loser == "ada" else "ada"
    assert winner in str(error)
    assert "`vitok releases`" in str(error) or "`vitok rollback 3`" in str(error)
    release = now(project)
    assert (release.epoch, release.actor) == (before + 1, winner)
    with project.engine.connect() as connection:
        assert [each.actor for each in rollouts.all_rollouts(connection)] == [winner] * (
            strategy != "immediate"
        )
    assert Plan.from_json((project.state / "plan.json").read_bytes()) == release.plan


def test_a_second_roll_out_cannot_even_be_written(project):
    rollout = roll_out(project)
    told = {"now": START, "actor": "bob", "way": rollout.way, "baseline": {}}
    with project.engine.connect() as connection, pytest.raises(IntegrityError):
        rollouts.begin(connection, version=3, champion=2, **told)


def test_a_verdict_taken_back_at_the_last_moment_stops_a_release(project, monkeypatch):
    real = module.back_up_before_release

    def meanwhile(*given):
        real(*given)
        with project.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE versions SET verdict = 'refused' WHERE number = 3")

    monkeypatch.setattr(module, "back_up_before_release", meanwhile)
    with pytest.raises(Exception, match="its verdict is 'refused'"):
        roll_out(project)
    assert history(project) == []


@pytest.mark.parametrize("away", [None, 3])
def test_a_promotion_in_the_moment_of_a_rollback_is_taken_back_and_stands_in_the_history(
    project, monkeypatch, away
):
    roll_out(project)
    real, moments = module.in_force, []

    def slowly(project):
        if not moments:
            moments.append(1)
            monkeypatch.setattr(module, "in_force", real)
            ends(project, "promoted")
        return real(project)

    monkeypatch.setattr(module, "in_force", slowly)
    found = back(project, away)
    assert (found.release.version, found.taken_back) == (2, 3)
    assert history(project) == [["stepping", "promoted"]]


@pytest.mark.parametrize("state", ["rolled back", "aborted", "inconclusive"])
def test_after_a_canary_that_ended_by_itself_the_champion_can_be_taken_back(project, state):
    roll_out(project)
    ends(project, state)
    project.clock.move_to(START + LATER)
    found = back(project)
    assert (found.release.version, found.taken_back) == (1, 2)


@pytest.mark.parametrize("state", ["rolled back", "aborted", "inconclusive"])
def test_who_wants_a_canary_away_that_ended_a_moment_before_changes_nothing(project, state):
    roll_out(project)
    ends(project, state)
    epoch = now(project).epoch
    for away, note in ((3, "version 3 answers nothing"), (None, f"has just ended ({state}, by vitok)")):
        found = back(project, away=away)
        assert (found.release.version, found.release.epoch, found.taken_back) == (2, epoch, None)
        assert note in found.note
    assert back(project, away=2).release.version == 1


def test_a_champion_that_was_promoted_a_moment_ago_can_be_taken_back(project):
    roll_out(project)
    ends(project, "promoted")
    assert back(project).taken_back == 3


def test_two_in_haste_do_not_go_back_twice(project):
    roll_out(project)
    assert back(project, who="ada").taken_back == 3
    again = back(project)
    assert (again.release.version, again.taken_back) == (2, None)
    assert "has just ended (aborted, by ada)" in again.note
    assert "vitok rollback 2" in again.note
    project.clock.move_to(START + LATER)  # nobody means the canary any more
    assert back(project).release.version == 1
    project.clock.move_to(START + 2 * LATER)
    again = back(project)
    assert (again.release.version, again.taken_back) == (1, None)
    assert "vitok rollback 1" in again.note


def test_a_rollback_by_hand_is_not_repeated_however_late_but_by_its_version(project):
    release_at_once(project, 3, actor="ada")
    assert back(project).release.version == 2
    project.clock.move_to(START + LATER)
    assert back(project).taken_back is None
    assert back(project, away=2).release.version == 1
    assert back(project, away=2).taken_back is None
    with pytest.raises(NotFound, match="no version before 1"):
        back(project, away=1)
    with pytest.raises(NotFound, match="version 9"):
        back(project, away=9)


def test_a_champion_is_taken_back_from_under_a_canary(project):
    roll_out(project)
    found = back(project, away=2)
    assert (found.release.version, found.taken_back) == (1, 2)
    assert history(project) == [["stepping", "aborted"]]


def test_what_was_taken_back_is_gone_back_to_by_nobody_and_falls_back_for_nobody(project):
    roll_out(project)
    ends(project, "rolled back")  # other plans of version 2 were superseded, the last one is taken back
    project.clock.move_to(START + LATER)
    assert back(project).release.version == 1
    assert now(project).plan.fallback is None
    with pytest.raises(NotFound, match="no version before 1"):
        back(project, away=1)


def test_two_rollbacks_at_the_same_moment_are_one(project, monkeypatch):
    meet(monkeypatch, module, "require_whole")
    release_at_once(project, 3, actor="ada")
    told = both(project, lambda own, who: back(own, who=who))
    assert sorted(str(each.taken_back) for each in told.values()) == ["3", "None"]
    assert now(project).version == 2


def down():
    raise Fault("state database", "is damaged", "Restore it.")


def by_file(project, away=None):
    return roll_back(down, project.folder, project.clock, actor="bob", reason="smoke", away=away)


def test_without_a_database_the_champion_goes_after_a_canary_that_ended_by_itself(project):
    roll_out(project)
    ends(project, "rolled back")
    told = by_file(project)
    assert (told["version"], told["taken_back"]) == (2, None)  # just now: whom it means is not known
    assert "vitok rollback 2" in told["note"]
    project.clock.move_to(START + LATER)
    assert (by_file(project)["version"], by_file(project)["taken_back"]) == (1, None)
    record_pending(project)
    assert (now(project).version, now(project).evidence["from"]) == (1, 2)


def test_without_a_database_a_version_is_named(project):
    roll_out(project)
    assert by_file(project, 1)["taken_back"] is None
    assert by_file(project, 3)["version"] == 2
    assert by_file(project, 3)["taken_back"] is None
    assert by_file(project, 2)["version"] == 1
    assert by_file(project)["taken_back"] is None


def test_recorded_later_it_is_the_same_for_the_next_in_haste(project):
    roll_out(project)
    assert by_file(project)["taken_back"] == 3
    record_pending(project)
    assert back(project).taken_back is None
    assert now(project).version == 2


def test_blue_green_without_a_database_goes_back_to_what_was_before(project):
    roll_out(project, strategy="blue-green")
    told = by_file(project)
    assert (told["version"], told["taken_back"]) == (2, 3)


@pytest.mark.parametrize("later", [False, True])
def test_a_rollback_by_file_is_not_undone_by_what_came_into_force_a_moment_before(project, later):
    """The keeper's step had the database locked while somebody went back."""
    roll_out(project)
    known = (project.state / "plan.json").read_bytes()
    if not later:
        ends(project, "promoted")
    (project.state / "plan.json").write_bytes(known)
    by_file(project, 3)
    if later:
        project.clock.move_to(START + LATER)
        ends(project, "promoted")
    record_pending(project)
    publish_plan(project)
    assert now(project).version == (3 if later else 2)
    assert Plan.from_json((project.state / "plan.json").read_bytes()) == now(project).plan
    assert not (project.state / PENDING_FILE).exists()


@pytest.mark.parametrize("content", [b"{", b'{"plan": 1}', b"\xff\xfe", b""])
def test_a_damaged_note_of_a_rollback_is_set_aside_and_told_once(project, content):
    said = []
    (project.state / PENDING_FILE).write_bytes(content)
    told = open_project(project.folder, clock=project.clock, say=said.append)
    watch_once(told)
    watch_once(told)
    told.engine.dispose()
    assert sum("cannot be read" in line for line in said) == 1
    assert (project.state / f"{PENDING_FILE}.damaged").read_bytes() == content
    assert now(project).version == 2
