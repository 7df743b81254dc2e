"""Replay on real flights: the policies, the promises, and faults that are put into history."""

from datetime import UTC, datetime, timedelta

import pytest

from vitok.errors import NotFound, UserMistake
from vitok.loop.example import write_example
from vitok.loop.release import release_at_once
from vitok.loop.replay import replay
from vitok.loop.turn import run_turn
from vitok.registry import releases, turns, versions
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("replay")
MARCH = datetime(2013, 3, 1, tzinfo=UTC)
SPAN = {"start": MARCH, "end": MARCH + timedelta(days=20), "step": timedelta(days=1)}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay") / "flights"
    write_example(folder)
    opened = open_project(folder)
    result = run_turn(opened, as_of=MARCH, quick=True)
    assert result.accepted, [gate.reason for gate in result.verdict.gates]
    release_at_once(opened, result.version.number, actor="test")
    return opened


@pytest.fixture(scope="module")
def compared(project):
    return replay(project, ["never", "weekly"], **SPAN)


def test_policy_that_never_retrains_answers_with_one_version(compared):
    never = compared[0]
    assert never.events == []
    assert never.rows == 18_714
    assert {window["start"][:7] for window in never.windows} == {
        "2013-02",
        "2013-03",
    }  # weeks start on Monday


def test_weekly_policy_starts_a_turn_every_week_and_each_ends_in_a_verdict(compared):
    weekly = compared[1]
    # The charter's budget of four turns in thirty days would allow more; its cool-down of a week sets the pace.
    assert [event["time"][:10] for event in weekly.events] == ["2013-03-08", "2013-03-15"]
    assert {event["event"] for event in weekly.events} <= {"promoted", "refused"}
    assert weekly.rows == compared[0].rows


def test_policies_agree_until_the_first_promotion(compared):
    never, weekly = compared
    first = [policy.windows[0] for policy in (never, weekly)]
    assert first[0] == first[1]


def test_labels_count_only_from_landing_on(compared):
    labelled = sum(window["rows"] for window in compared[0].windows)
    assert 0.9 * compared[0].rows < labelled < compared[0].rows  # cancelled flights never get one


def test_replay_gives_the_same_again(project, compared):
    (again,) = replay(project, ["weekly"], **SPAN)
    assert again.windows == compared[1].windows
    assert again.events == compared[1].events
    assert again.alerts == compared[1].alerts
    assert again.value == compared[1].value


def test_replay_changes_nothing_in_the_project(project, compared):
    with project.engine.connect() as connection:
        assert [version.number for version in versions.all_versions(connection)] == [1]
        assert len(releases.all_releases(connection)) == 1
        assert len(turns.all_turns(connection)) == 1
    assert project.lake.versions("snapshots") == [0]
    assert not project.lake.exists("predictions")


def test_dead_source_raises_an_alarm_that_names_it(project):
    (hit,) = replay(project, ["never"], **SPAN, inject=["missing(temp)@2013-03-05"])
    named = [alert for alert in hit.alerts if alert["kind"] == "drift" and alert["severity"] == "alarm"]
    assert any("temp" in alert["what"] for alert in named)


def test_changed_unit_stops_the_turn_and_the_champion_stays(project):
    (hit,) = replay(project, ["weekly"], **SPAN, inject=["scale(temp,1000)@2013-03-05"])
    assert {event["event"] for event in hit.events} == {"failed"}
    assert "temp" in hit.events[0]["reason"]
    assert "above the range" in hit.events[0]["reason"]


def test_without_labels_no_window_is_measured(project):
    (hit,) = replay(project, ["never"], **SPAN, inject=["no_labels@2013-03-01"])
    assert hit.windows == []
    assert hit.rows == 18_714


def test_unknown_policy_and_empty_span_are_explained(project):
    with pytest.raises(UserMistake, match="there is no policy 'sometimes'"):
        replay(project, ["sometimes"], **SPAN)
    with pytest.raises(UserMistake, match="no rows between"):
        replay(project, ["never"], start=datetime(2030, 1, 1, tzinfo=UTC), end=None, step=None)


def test_replay_needs_a_champion(tmp_path):
    write_example(tmp_path / "flights")
    with pytest.raises(NotFound, match="no version is in production"):
        replay(open_project(tmp_path / "flights"), ["never"], **SPAN)
