"""Newest labels are held against the champion's scores, once they are due, before a turn starts."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.charter.expressions import Cron
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock, format_time
from vitok.loop.deciding import decide, list_decisions, note_decision
from vitok.loop.label_trust import labels_distrusted
from vitok.registry import releases
from vitok.registry import windows as remembered

ROWS = 400


@pytest.fixture
def setting(tmp_path):
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    clock.move_to(START + timedelta(days=5))
    with project.engine.begin() as connection:
        digest = releases.current(connection).plan.champion.digest
    yield project, digest
    project.engine.dispose()


def journal(digest, labels, *, rows=ROWS, until=timedelta(days=4)):
    """Rows in the days before a moment; `labels` takes truth that the scores explain."""
    rng = np.random.default_rng(1)
    scores = rng.beta(1, 2, rows)
    truth = labels(rng.random(rows) < scores)
    ids, times = [str(n) for n in range(rows)], [START + until - timedelta(minutes=n) for n in range(rows)]
    found = MemoryLedger()
    found.append_predictions(
        pl.DataFrame(
            {
                "id": ids,
                "time": times,
                "score": scores,
                "decision": ["true" if each > 0.5 else "false" for each in scores],
                "digest": digest,
                "version": 1,
            }
        )
    )
    found.append_outcomes(
        pl.DataFrame({"id": ids, "value": [json.dumps(bool(each)) for each in truth], "time": times})
    )
    return found


DAILY = [Cron("0 0 * * *")]


def test_flipped_and_constant_labels_hold_a_turn_back_and_it_is_on_record(setting):
    project, digest = setting
    for labels, reason in ((np.logical_not, "flipped"), (np.zeros_like, "fewer labels are positive")):
        project.clock.move_to(project.clock() + timedelta(minutes=1))  # decisions are listed by their time
        decision = decide(project, journal(digest, labels), {}, DAILY)
        assert not decision.start
        note_decision(project, decision)
        told = list_decisions(project)["decisions"][0]
        assert not told["started"]
        assert reason in told["reason"]


def test_right_labels_start_a_turn_without_a_remark(setting):
    project, digest = setting
    decision = decide(project, journal(digest, np.asarray), {}, DAILY)
    assert (decision.start, decision.remarks) == (True, "")


def test_few_labels_hold_nothing_back_and_the_decision_says_so(setting):
    project, digest = setting
    decision = decide(project, journal(digest, np.logical_not, rows=30), {}, DAILY)
    assert decision.start
    note_decision(project, decision)
    told = list_decisions(project)["decisions"][0]
    assert told["reason"] == f"{DAILY[0]}; too few labels are due to tell whether they are right"


def test_labels_that_come_early_are_not_judged(setting):
    """All labels of the last hours are of one kind, since only these come at once; the delay is four hours."""
    project, digest = setting
    early = journal(digest, np.ones_like, rows=200, until=timedelta(days=5))
    assert labels_distrusted(project, early)[0] is None
    late = journal(digest, np.ones_like, rows=200, until=timedelta(days=4, hours=20))
    assert labels_distrusted(project, late)[0] is not None


def test_a_decision_says_since_when_labels_are_still_coming(setting):
    project, digest = setting
    with project.engine.begin() as connection:
        for day, state in enumerate(("final", "maturing", "maturing", "open")):
            start = START + timedelta(days=day)
            remembered.save_window(
                connection,
                start=start,
                end=start + timedelta(days=1),
                state=state,
                rows=100,
                labelled=50,
                version=1,
                drift=[],
                quality={},
                details={},
            )
    decision = decide(project, journal(digest, np.asarray), {}, DAILY)
    assert decision.start
    note_decision(project, decision)
    told = list_decisions(project)["decisions"][0]["reason"]
    assert told.endswith(f"labels of rows since {format_time(START + timedelta(days=1))} are still coming")
