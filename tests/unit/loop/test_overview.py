"""The first page's object: health with its reasons, the stage of the coil, what waits, what comes next."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from rollouts import START, two_versions
from vitok.kernel.clock import VirtualClock
from vitok.loop.incident_acts import open_incident
from vitok.loop.overview import project_overview
from vitok.monitor.alerts import Alert
from vitok.registry import turns
from vitok.registry import windows as remembered
from vitok.store import schema

DAY = timedelta(days=1)
QUALITY = {"roc_auc": {"value": 0.7, "low": 0.6, "high": 0.8, "rows": 900, "method": "DeLong"}}


@pytest.fixture
def project(tmp_path):
    found = two_versions(tmp_path, VirtualClock(START), more="retrain: {on: ['schedule(monthly)', drift]}\n")
    with found.engine.begin() as connection:
        connection.execute(update(schema.versions).values(summary={"algorithm": "linear"}))
    return found


def close_window(project, quality, state="final"):
    about = {"rows": 900, "labelled": 880, "version": 1, "drift": [], "details": {"digest": "x"}}
    with project.engine.begin() as connection:
        span = {"start": START - DAY, "end": START}
        remembered.save_window(connection, **span, state=state, quality=quality, **about)


def raise_alert(project, kind, severity="alarm"):
    now = project.clock()
    alert = Alert(kind, severity, now, now, now, ("roc_auc",), f"{kind} moved.", "Look.", "book")
    with project.engine.begin() as connection:
        remembered.save_alert(connection, kind, alert)


def health(project):
    return project_overview(project)["health"]["state"]


def test_nobody_knows_whether_a_model_is_well_before_labels_have_judged_a_window(project):
    assert health(project) == "unknown"
    close_window(project, {}, state="maturing")
    assert health(project) == "unknown"
    close_window(project, QUALITY)
    assert health(project) == "well"


def test_alerts_and_incidents_are_reasons_and_a_fall_of_quality_comes_first(project):
    close_window(project, QUALITY)
    raise_alert(project, "drift")
    assert health(project) == "watch"
    raise_alert(project, "quality", "notice")
    assert health(project) == "watch"
    open_incident(project, "outage", severity="critical", actor="ada")
    found = project_overview(project)["health"]
    assert found["state"] == "ill"
    assert [each["path"] for each in found["reasons"]] == ["/incidents/1", "/alerts/drift", "/alerts/quality"]


def test_without_a_release_there_is_no_model(project):
    with project.engine.begin() as connection:
        connection.execute(delete(schema.releases))
    found = project_overview(project)
    assert (found["health"]["state"], found["stage"]["name"], found["shares"]) == ("none", "charter", [])


def test_the_stage_is_the_turn_that_runs_then_people_who_are_asked_then_watching(project):
    assert project_overview(project)["stage"]["name"] == "watching"
    question = {"id": "2.1", "asked": START, "version": 2, "digest": "d", "role": "domain_expert"}
    with project.engine.begin() as connection:
        connection.execute(insert(schema.questions).values(**question, question="Is it fair?"))
    found = project_overview(project)
    assert found["stage"]["name"] == "approval"
    assert found["needs"] == [{"what": "approvals", "count": 1, "path": "/approvals", "act": "approve"}]
    for stage, name in (("data", "data"), ("candidate linear", "training"), ("verdict", "acceptance")):
        with project.engine.begin() as connection:
            connection.execute(delete(schema.turns))
            turns.begin(connection, "t", now=START, as_of=START, trigger="by hand", charter="c", actor="ada")
            turns.advance(connection, "t", stage=stage)
        assert project_overview(project)["stage"]["name"] == name


def test_the_next_turn_is_that_of_the_schedule_and_what_else_may_start_one_is_named(project):
    assert project_overview(project)["next"] == {
        "time": None,
        "why": None,
        "or_on": ["schedule(monthly)", "drift"],
    }
    with project.engine.begin() as connection:
        turns.begin(connection, "t", now=START + DAY, as_of=START, trigger="x", charter="c", actor="ada")
    assert project_overview(project)["next"] == {
        "time": "2013-04-01T00:00:00Z",
        "why": "schedule(monthly)",
        "or_on": ["drift"],
    }
    project.clock.move_to(START + 60 * DAY)
    assert project_overview(project)["next"]["time"] == "2013-04-30T00:00:00Z"  # it is due
