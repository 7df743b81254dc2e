from datetime import UTC, datetime, timedelta

import pytest

from vitok.errors import NotFound
from vitok.registry import releases, turns, versions
from vitok.release.plan import Arm, Plan
from vitok.store.db import open_database

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def register(connection, digest, verdict="accepted"):
    facts = {"created": NOW, "turn": "t", "gates": [], "metrics": {}, "summary": {}}
    return versions.register(connection, digest=digest, verdict=verdict, **facts)


def test_versions_are_numbered_and_the_same_bundle_keeps_its_number(connection):
    assert [register(connection, digest).number for digest in ("a", "b", "a", "c")] == [1, 2, 1, 3]
    assert [v.digest for v in versions.all_versions(connection)] == ["a", "b", "c"]
    assert versions.get(connection, 2).created == NOW


def test_same_bundle_with_another_verdict_keeps_the_verdict_it_has(connection):
    register(connection, "a", "refused")
    assert register(connection, "a", "accepted").verdict == "refused"


def test_version_that_does_not_exist_is_told_with_those_that_do(connection):
    with pytest.raises(NotFound, match="vitok run"):
        versions.get(connection, 1)
    register(connection, "a")
    with pytest.raises(NotFound, match="Known versions: 1"):
        versions.get(connection, 7)


def test_running_turns_are_marked_interrupted_and_others_stay(connection):
    for turn, state in (("t1", "accepted"), ("t2", "running")):
        turns.begin(connection, turn, now=NOW, as_of=NOW, trigger="by hand", charter="c")
        turns.advance(connection, turn, state=state)
    cut = turns.mark_interrupted(connection, NOW + timedelta(hours=1), "the process ended")
    assert [turn.id for turn in cut] == ["t2"]
    assert [t.state for t in turns.all_turns(connection)] == ["accepted", "interrupted"]
    assert turns.last(connection).ended == NOW + timedelta(hours=1)
    assert [turn.number for turn in turns.all_turns(connection)] == [1, 2]
    assert turns.get(connection, "2").id == turns.get(connection, "t2").id
    with pytest.raises(NotFound, match="newest is 2"):
        turns.get(connection, "7")


def test_release_in_force_is_the_last_one_and_the_one_before_is_superseded(connection):
    assert releases.current(connection) is None
    for epoch in (1, 2):
        plan = Plan(epoch, "p", "immediate", (Arm(epoch, "d", "champion", 1.0),), {"d": "accepted"}, "2026")
        releases.activate(
            connection, plan, release_id=f"r{epoch}", now=NOW, actor="ada", before="superseded", evidence={}
        )
    assert releases.current(connection).version == 2
    assert [r.state for r in releases.all_releases(connection)] == ["superseded", "in force"]
