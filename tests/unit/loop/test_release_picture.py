"""A release that no roll-out made is told: who answered before and after, its verdict, and the alerts."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from rollouts import START, two_versions
from vitok.cli.app import build
from vitok.errors import NotFound
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.release import release_at_once
from vitok.loop.release_picture import release_picture, release_story, story_json
from vitok.loop.rollout import end_by_hand, release_version
from vitok.monitor.alerts import Alert
from vitok.registry import releases, versions, windows

DAY = timedelta(days=1)
GATES = [
    {"gate": "roc_auc > baseline", "passed": True, "reason": "roc_auc 0.72 [0.71, 0.73] exceeds 0.61"},
    {"gate": "roc_auc > 0.8", "passed": False, "reason": "roc_auc 0.72 [0.71, 0.73] misses 0.8"},
]


@pytest.fixture
def project(tmp_path):
    clock = VirtualClock(START)
    made = two_versions(tmp_path, clock)
    with made.engine.begin() as connection:
        versions.decide(connection, 2, "accepted", GATES)
    clock.move_to(START + DAY)
    release_at_once(made, 2, actor="olga")
    clock.move_to(START + 2 * DAY)
    return made


def story_of(project, epoch):
    with project.engine.connect() as connection:
        release = releases.get(connection, epoch)
    return release, release_story(project, release)


def alert(opened):
    return Alert("quality", "alarm", opened, opened, opened, ("roc_auc",), "roc_auc fell.", "Look.", "", None)


def test_shares_go_from_the_version_before_to_the_one_that_came_after(project):
    _, first = story_of(project, 1)
    one, two = "version 1", "version 2"
    at = [(START, 1.0, one), (START, 0.0, two), (START + DAY, 0.0, one), (START + DAY, 1.0, two)]
    assert first.shares == at
    _, second = story_of(project, 2)
    assert second.shares[2:] == at[2:]
    assert second.shares[0][0] < START + DAY
    assert [(share, name) for _, share, name in second.shares[:2]] == [(1.0, one), (0.0, two)]


def test_events_say_who_released_it_and_what_ended_it(project):
    _, first = story_of(project, 1)
    assert [(state, reason) for _, state, reason in first.events] == [
        ("immediate", "version 1 answers everything, by ada; nothing was in production before"),
        ("superseded", "version 2 (immediate) by olga"),
    ]
    end_by_hand(project, actor="ada", reason="late warnings")
    _, second = story_of(project, 2)
    assert second.events[-1][1:] == ("rolled back", "version 1 (rollback) by ada")
    _, back = story_of(project, 3)
    assert back.events[0][1:] == ("rollback", "version 1 answers everything, by ada: late warnings")


def test_the_begin_of_a_roll_out_ends_it_too(project):
    release_version(project, MemoryLedger(), 1, strategy="canary")
    _, second = story_of(project, 2)
    assert second.events[-1][2] == "the roll-out of version 1 (canary) began, by user"


def test_alerts_of_its_time_are_among_the_events_and_others_are_not(project):
    with project.engine.begin() as connection:
        windows.save_alert(connection, "before", alert(START + DAY / 2))
        windows.save_alert(connection, "during", alert(START + 1.5 * DAY))
    _, second = story_of(project, 2)
    assert [(state, reason) for _, state, reason in second.events[1:]] == [("alarm", "roc_auc fell.")]


def test_the_page_says_in_words_what_was_judged_and_what_was_not(project):
    release, story = story_of(project, 2)
    page = json.dumps(release_picture(release, story))
    for words in (
        "Release of epoch 2: version 2, immediate",
        "nothing compared it with version 1",
        "Its verdict: 1 of 2 gates passed",
        "roc_auc 0.72 [0.71, 0.73] misses 0.8",
        "Who answers",
    ):
        assert words in page
    told = story_json(release, story)
    assert [gate["state"] for gate in told["gates"]] == ["passed", "failed"]


def test_show_tells_a_release_by_its_epoch_and_draws_it(project, tmp_path):
    app, here = build(["releases"]), ["--project", str(tmp_path)]
    plot = tmp_path / "release.html"
    result = CliRunner().invoke(app, ["releases", "show", "--epoch", "2", "--plot", str(plot), *here])
    assert result.exit_code == 0, result.output
    assert "passed: roc_auc 0.72" in result.output
    assert "version 2 answers everything, by olga, after version 1" in " ".join(result.output.split())
    assert plot.read_text().startswith("<!DOCTYPE html>")


def test_an_epoch_that_never_was_is_told(project):
    with project.engine.connect() as connection, pytest.raises(NotFound, match="there was no such release"):
        releases.get(connection, 9)
