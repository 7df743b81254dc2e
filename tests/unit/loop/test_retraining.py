"""Policies as people write them."""

from datetime import timedelta

import pytest

from examples import CHARTER
from vitok.charter.expressions import Alarm, Comparison, Schedule
from vitok.charter.load import load_charter
from vitok.errors import UserMistake
from vitok.loop.project import Project
from vitok.loop.retraining import parse_policy

TEXT = CHARTER + "retrain: {on: [schedule(weekly)], window: 30d, cooldown: 2d}\n"


@pytest.fixture
def project():
    blank = dict.fromkeys(("folder", "state", "engine", "lake", "blobs", "clock", "tracker", "say"))
    return Project(
        document=load_charter(TEXT.replace("target: late", "target: late, time: departure, label_delay: 4h")),
        **blank,
    )


@pytest.mark.parametrize(
    ("text", "triggers"),
    [
        ("never", ()),
        ("monthly", (Schedule("monthly"),)),
        ("charter", (Schedule(timedelta(days=7)),)),
        ("on-alert", (Alarm("drift"), Alarm("quality"))),
        ("every(10d)", (Schedule(timedelta(days=10)),)),
        ("on(drift)+monthly", (Alarm("drift"), Schedule("monthly"))),
    ],
)
def test_policy_has_the_triggers_that_it_names(project, text, triggers):
    assert parse_policy(project, text).triggers == triggers


def test_everything_else_is_joined_to_it(project):
    found = parse_policy(
        project, "on(roc_auc < 0.95 * accepted + 0.01) + window(90d) + approvals(2d) + labels(3d)"
    )
    assert isinstance(found.triggers[0], Comparison)
    assert found.triggers[0].bound.offset == 0.01
    assert found.approvals == timedelta(days=2)
    charter = found.applied(project).charter
    assert charter.retrain.window == timedelta(days=90)
    assert charter.retrain.cooldown == timedelta(days=2)
    assert charter.task.label_delay == timedelta(days=3, hours=4)
    assert project.charter.task.label_delay == timedelta(hours=4)
    assert parse_policy(project, "never + cooldown(0s)").applied(
        project
    ).charter.retrain.cooldown == timedelta(0)
    assert parse_policy(project, "never + window(all)").applied(project).charter.retrain.window == "all"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mothly", "Did you mean 'monthly'"),
        ("", "there is no policy ''"),
        ("monthly +", "there is no policy ''"),
        ("every(0d)", "never ends"),
        ("every(x)", "no duration"),
        ("window(0d)", "holds no row"),
        ("on()", "cannot read"),
        ("on(ask(domain_expert))", "starts no turn"),
        ("on(rmse < 3)", "rmse"),
        ("on(roc_auc < champion)", "no meaning here"),
        ("on(drift", "there is no policy"),
    ],
)
def test_policy_that_makes_no_sense_is_told(project, text, says):
    with pytest.raises(UserMistake, match=says.replace("(", r"\(")):
        parse_policy(project, text)
