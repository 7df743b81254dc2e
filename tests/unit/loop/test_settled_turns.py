"""What a turn came to is released, also when its process died between the turn's end and the release."""

import pytest

from rollouts import START, ends, two_versions
from vitok.errors import Busy, Refused
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop import tick
from vitok.loop.rollout import release_version
from vitok.registry import rollouts, turns


@pytest.fixture
def project(tmp_path):
    return two_versions(tmp_path, VirtualClock(START))


def ended(project, name="t2", version=2, actor="vitok", state="accepted"):
    now = project.clock()
    with project.engine.begin() as connection:
        about = {"now": now, "as_of": now, "trigger": "drift", "charter": "", "actor": actor}
        turns.begin(connection, name, **about, pins={"vitok": "0"})
        turns.advance(connection, name, state=state, ended=now, version=version)


def look(project):
    return tick.tick(project, MemoryLedger(), [])


def standing(project, name="t2"):
    with project.engine.connect() as connection:
        going = rollouts.current(connection)
        return None if going is None else going.version, turns.get(connection, name).settled


def test_what_was_accepted_and_not_released_is_released_by_the_next_look(project):
    ended(project)
    assert standing(project) == (None, False)
    found = look(project)
    assert (found.event, found.version) == ("releasing", 2)
    assert standing(project) == (2, True)
    assert look(project).event is None


@pytest.mark.parametrize("how", [{"actor": "ada"}, {"state": "refused"}, {"version": None}])
def test_only_what_our_own_turn_accepted_is(project, how):
    ended(project, **how)
    assert look(project).event is None
    assert standing(project)[0] is None


def test_a_newer_turn_makes_it_void(project):
    ended(project)
    ended(project, "t3", None, "ada", "failed")
    assert look(project).event is None
    assert standing(project)[0] is None


def test_a_version_that_was_released_and_taken_back_stays_back(project):
    """The process died after the release, and somebody has taken the version back since."""
    ended(project)
    release_version(project, MemoryLedger(), 2, actor="vitok")
    ends(project, "rolled back")
    assert standing(project) == (None, False)
    assert look(project).event is None
    assert standing(project) == (None, True)
    with project.engine.connect() as connection:
        assert len(rollouts.all_rollouts(connection)) == 1


@pytest.mark.parametrize(
    "error", [Busy("releases", "a roll-out is under way", "Wait."), Refused("r", "w", "d")]
)
def test_what_cannot_be_released_now_is_released_later(project, monkeypatch, error):
    ended(project)
    with monkeypatch.context() as patch:
        patch.setattr(tick, "release_version", lambda *given, **how: (_ for _ in ()).throw(error))
        assert look(project).event is None  # nothing new: the turn's own end was told
    assert standing(project) == (None, False)
    assert look(project).event == "releasing"


def test_a_look_beside_a_working_process_leaves_it_to_that(project):
    class Hand:
        has_process = True

        def is_at_work(self, project):
            return True

    ended(project)
    assert tick.tick(project, MemoryLedger(), [], beside=Hand()).event is None
    assert standing(project) == (None, False)
