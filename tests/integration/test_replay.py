"""Replay on real flights: the policies, the promises, and faults that are put into history."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import yaml

from vitok.charter.dialect import Loader
from vitok.charter.load import load_charter
from vitok.errors import NotFound, UserMistake
from vitok.journal.ledger import Ledger, MemoryLedger
from vitok.loop.example import write_example
from vitok.loop.replay import replay
from vitok.loop.rollout import release_version
from vitok.model.bundle import load_manifest, store_bundle
from vitok.registry import releases, turns, versions
from vitok.wire import open_project

pytestmark = pytest.mark.xdist_group("replay")
MARCH = datetime(2013, 3, 1, tzinfo=UTC)
SPAN = {"start": MARCH, "end": MARCH + timedelta(days=20), "step": timedelta(days=1)}
SHORT = {"start": MARCH, "end": MARCH + timedelta(days=12), "step": timedelta(hours=6)}
CANARY = {
    "strategy": "canary",
    "shares": ["10%", "50%"],
    "step": "1d",
    "guard": {"errors": "2x", "latency": "2x", "negligible": "1%"},
    "max_hours": 336,
}


def with_release(project, **keys):
    """The project with another section `release`."""
    text = (project.folder / "vitok.yaml").read_text()
    section = re.compile(r"^release:.*\n(?: .*\n)*", re.MULTILINE)
    return replace(project, document=load_charter(section.sub(f"release: {json.dumps(keys)}\n", text)))


@pytest.fixture(scope="module")
def project(flights_project):
    return with_release(flights_project, strategy="immediate")


@pytest.fixture(scope="module")
def canary(project):
    return with_release(project, **CANARY)


@pytest.fixture(scope="module")
def rolled_out(canary):
    faults = ["failing(5%)@2013-03-04", "good@2013-03-02"]
    (result,) = replay(canary, ["never"], **SHORT, inject=faults)
    return result


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


def test_changed_unit_starts_no_turn_or_one_that_stops_and_the_champion_stays(project):
    """A window that looks broken is not learned from; where the charter wants it all the same, the data say no."""
    hit = replay(project, ["weekly"], **SPAN, inject=["scale(temp,1000)@2013-03-05"])[0]
    assert (hit.events, hit.turns) == ([], 0)
    assert any("temp" in alert["what"] for alert in hit.alerts if alert["severity"] == "alarm")
    retrain = project.charter.retrain.model_copy(update={"poisoned": "train"})
    charter = project.charter.model_copy(update={"retrain": retrain})
    bold = replace(project, document=replace(project.document, charter=charter))
    (hit,) = replay(bold, ["weekly"], **SPAN, inject=["scale(temp,1000)@2013-03-05"])
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


def ends(result):
    return [
        event
        for event in result.events
        if event["event"] in ("promoted", "rolled back", "inconclusive", "unfinished")
    ]


def test_a_good_version_is_promoted_and_a_failing_one_taken_back(rolled_out):
    good, bad = ends(rolled_out)
    assert (good["event"], good["version"], good["rollout"]) == ("promoted", 2, 1)
    assert (bad["event"], bad["version"], bad["rollout"]) == ("rolled back", 3, 2)
    assert "errors broken" in bad["reason"]
    assert bad["hours"] <= 48
    assert 0 < bad["answers"] < 400
    counts = rolled_out.as_json()
    assert (counts["promotions"], counts["rollbacks"], counts["inconclusive"], counts["turns"]) == (
        1,
        1,
        0,
        0,
    )


def test_a_version_waits_until_the_roll_out_before_it_has_ended(rolled_out):
    begins = [event for event in rolled_out.events if event["trigger"]]
    assert [event["trigger"] for event in begins] == ["good@2013-03-02", "failing(5%)@2013-03-04"]
    assert begins[0]["time"] == "2013-03-02T00:00:00Z"
    assert begins[1]["time"] == ends(rolled_out)[0]["time"] > "2013-03-04"


def test_each_move_tells_what_the_version_has_answered(rolled_out):
    moves = [event for event in rolled_out.events if event["version"] == 2]
    assert [event["event"] for event in moves] == ["releasing", "releasing", "promoted"]
    assert moves[0]["reason"].endswith("10%")
    assert moves[1]["reason"].endswith("50%")
    answers = [event["answers"] for event in moves]
    assert answers == sorted(answers)


def test_roll_outs_of_a_replay_go_the_same_way_again(canary, rolled_out):
    faults = ["good@2013-03-02", "failing(5%)@2013-03-04"]
    (again,) = replay(canary, ["never"], **SHORT, inject=faults)
    assert again.events == rolled_out.events
    assert again.windows == rolled_out.windows


def test_a_slow_version_is_taken_back(canary):
    (hit,) = replay(canary, ["never"], **SHORT, inject=["slow(3x)@2013-03-02"])
    (end,) = ends(hit)
    assert end["event"] == "rolled back"
    assert "latency p50 broken" in end["reason"]


def test_a_version_that_is_wrong_in_a_segment_is_taken_back_by_its_outcomes(project):
    guarded = with_release(project, **CANARY | {"guard": CANARY["guard"] | {"quality": 0.05}})
    (hit,) = replay(guarded, ["never"], **SHORT, inject=["wrong(carrier in ('UA', 'B6'))@2013-03-02"])
    (end,) = ends(hit)
    assert end["event"] == "rolled back"
    assert "quality broken" in end["reason"]


def test_units_that_are_not_split_as_planned_end_a_roll_out_without_a_verdict(canary):
    (hit,) = replay(canary, ["never"], **SHORT, inject=["good@2013-03-02", "split(20%)@2013-03-02"])
    (end,) = ends(hit)
    assert end["event"] == "inconclusive"
    assert "not split as planned" in end["reason"]


def test_an_incident_that_hits_both_versions_takes_nothing_back(canary):
    (hit,) = replay(canary, ["never"], **SHORT, inject=["good@2013-03-02", "incident(20%,24h)@2013-03-05"])
    (end,) = ends(hit)
    assert end["event"] in ("promoted", "unfinished")
    assert hit.as_json()["rollbacks"] == 0


def test_a_shadow_is_mirrored_under_the_same_ids_and_answers_nothing(project):
    mirrored = with_release(project, **CANARY | {"strategy": "shadow"})
    (hit,) = replay(mirrored, ["never"], **SHORT, inject=["failing(10%)@2013-03-02"])
    (end,) = ends(hit)
    assert end["event"] == "rolled back"
    assert end["answers"] == 0
    (without,) = replay(mirrored, ["never"], **SHORT)
    assert hit.windows == without.windows


def test_accepted_versions_of_a_policy_go_the_charters_way(canary):
    (weekly,) = replay(
        canary, ["weekly"], **SHORT | {"step": timedelta(days=1), "end": MARCH + timedelta(days=18)}
    )
    assert weekly.turns >= 1
    begun = [event for event in weekly.events if event["trigger"] and event["event"] == "releasing"]
    assert begun
    assert {event["event"] for event in weekly.events} <= {
        "releasing",
        "promoted",
        "rolled back",
        "refused",
        "unfinished",
    }
    (end,) = ends(weekly)
    assert end["version"] == begun[0]["version"]


def test_where_releases_are_immediate_an_injected_version_answers_at_once(project):
    lines = []
    (hit,) = replay(replace(project, say=lines.append), ["never"], **SHORT, inject=["failing(5%)@2013-03-02"])
    assert [event["event"] for event in hit.events] == ["promoted"]
    assert any("release.strategy is immediate" in line for line in lines)


def test_replay_begins_with_the_champion_alone_though_a_roll_out_is_under_way(project, tmp_path):
    shutil.copytree(project.folder, tmp_path / "flights")
    opened = with_release(open_project(tmp_path / "flights"), **CANARY)
    with opened.engine.begin() as connection:
        champion = versions.get(connection, 1)
        manifest = load_manifest(opened.blobs, champion.digest)
        files = {name: opened.blobs.get(digest) for name, digest in manifest.files.items()}
        digest = store_bundle(
            opened.blobs, msgspec.structs.replace(manifest, code={"commit": "later"}), files
        )
        rest = {"gates": [], "metrics": champion.metrics, "summary": champion.summary}
        versions.register(
            connection, digest=digest, created=MARCH, turn="another", verdict="accepted", **rest
        )
    release_version(opened, MemoryLedger(), 2)
    (result,) = replay(opened, ["never"], **SHORT | {"end": MARCH + timedelta(days=2)})
    assert result.events == []
    assert result.rows > 0


def test_a_version_outside_of_the_span_or_never_reached_is_told(canary):
    with pytest.raises(UserMistake, match="lies outside of the span"):
        replay(canary, ["never"], **SHORT, inject=["good@2013-04-02"])
    (late,) = replay(canary, ["never"], **SHORT, inject=["good@2013-03-11", "slow(2x)@2013-03-12T12:00"])
    assert [event["event"] for event in late.events[-2:]] == ["not released", "unfinished"]


def without_times(results):
    """All that two replays must agree on."""
    return [
        {name: value for name, value in result.as_json().items() if name != "seconds"} for result in results
    ]


def test_policies_beside_each_other_give_what_they_give_one_after_another(tmp_path, project, monkeypatch):
    folder = tmp_path / "p"
    shutil.copytree(project.folder, folder)
    opened = open_project(folder)
    span = {**SPAN, "end": MARCH + timedelta(days=9)}
    policies = ["every(4d) + cooldown(1d)", "every(4d) + cooldown(1d) + window(40d)"]
    one = replay(opened, policies, **span)
    beside = replay(opened, policies, **span, reopen=open_project)
    assert without_times(one) == without_times(beside)
    assert [result.turns for result in one] == [2, 2]
    monkeypatch.delattr("vitok.loop.turn_stages.fit_candidate")  # what was fitted once is not fitted again
    monkeypatch.delattr("vitok.loop.turn_stages.fit_baselines")
    assert without_times(replay(opened, policies[:1], **span)) == without_times(one[:1])
    opened.engine.dispose()


def test_approvals_take_their_time_and_then_the_release_happens(project):
    content = yaml.load((project.folder / "vitok.yaml").read_text(), Loader)
    content |= {"release": {"strategy": "immediate"}, "team": {}}
    content["approve"] = {risk: ["ml_engineer"] for risk in ("low", "medium", "high")}
    asking = replace(project, document=load_charter(json.dumps(content)))
    (result,) = replay(asking, ["every(7d) + approvals(2d)"], **SPAN)
    events = [(event["event"], event["time"][:10]) for event in result.events]
    asked = [time for event, time in events if event == "waiting"]
    assert asked
    told = {time: event for event, time in events}
    first = datetime.fromisoformat(asked[0])
    assert told[(first + timedelta(days=2)).strftime("%Y-%m-%d")] == "promoted"
    assert "ml engineer" in next(event["reason"] for event in result.events if event["event"] == "waiting")


def test_history_that_is_kept_can_be_looked_at_and_is_the_projects_own(tmp_path, project):
    folder = tmp_path / "kept"
    (result,) = replay(project, ["every(7d)"], **SPAN, keep=folder)
    kept = open_project(folder)
    with kept.engine.connect() as connection:
        known = turns.all_turns(connection)
        assert [turn.number for turn in known] == [1, 2, 3][: 1 + result.turns]
        assert known[0].version == 1
        assert all(turn.started < SPAN["end"] for turn in known)
        release = releases.current(connection)
    assert load_manifest(kept.blobs, release.plan.champion.digest)
    rows = Ledger(kept.lake).labelled(as_of=SPAN["end"] + timedelta(days=3))
    assert rows.height > 0.9 * result.rows
    with pytest.raises(UserMistake, match="is not empty"):
        replay(project, ["never"], **SPAN, keep=folder)
    with pytest.raises(UserMistake, match="keeps one history, not 2"):
        replay(project, ["never", "weekly"], **SPAN, keep=tmp_path / "other")
    kept.engine.dispose()
