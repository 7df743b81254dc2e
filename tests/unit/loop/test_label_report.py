"""Windows that wait for labels: corrected for which labels come early."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.maturing import label_report
from vitok.registry import releases
from vitok.registry import windows as remembered

DAY = timedelta(days=1)
ROWS, DAYS = 400, 12
NOW = START + DAYS * DAY + timedelta(hours=2)


@pytest.fixture
def setting(tmp_path):
    """Days of flights whose late ones land later: in the last window mostly punctual ones have landed."""
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    clock.move_to(NOW)
    with project.engine.begin() as connection:
        digest = releases.current(connection).plan.champion.digest
        remembered.save_window(
            connection,
            start=START + (DAYS - 1) * DAY,
            end=START + DAYS * DAY,
            state="maturing",
            rows=ROWS,
            labelled=0,
            version=1,
            drift=[],
            quality={},
            details={},
        )
    yield project, digest
    project.engine.dispose()


def journal(digest, *, hours=(2.0, 30.0), seed=1):
    """Punctual flights are known after about two hours, late ones after about thirty."""
    rng, count = np.random.default_rng(seed), ROWS * DAYS
    seconds = np.sort(rng.uniform(0, DAYS * 86400, count))
    score = rng.uniform(0, 1, count)
    late = rng.random(count) < score
    delay = rng.exponential(np.where(late, hours[1], hours[0])) * 3600
    times = [START + timedelta(seconds=float(each)) for each in seconds]
    found = MemoryLedger()
    ids = [str(number) for number in range(count)]
    found.append_predictions(
        pl.DataFrame({"id": ids, "time": times, "score": score, "digest": digest, "version": 1})
    )
    known = [time + timedelta(seconds=float(each)) for time, each in zip(times, delay, strict=True)]
    outcomes = pl.DataFrame({"id": ids, "value": [json.dumps(bool(each)) for each in late], "time": known})
    found.append_outcomes(outcomes.filter(pl.col("time") <= NOW))
    inside = seconds >= (DAYS - 1) * 86400
    return found, late[inside], score[inside]


def test_a_window_half_labelled_is_estimated_as_it_will_be(setting):
    project, digest = setting
    found, late, score = journal(digest)
    (window,) = label_report(project, found)["maturing"]
    assert 0.3 < window["maturity"] < 0.9
    truth = np.mean((score >= 0.5) == late)
    accuracy, recall = window["quality"]["accuracy"], window["quality"]["recall"]
    assert accuracy["low"] <= truth <= accuracy["high"]
    assert recall["low"] <= np.mean(score[late] >= 0.5) <= recall["high"]
    assert {"roc_auc", "precision", "profit_per_1000"} <= set(window["quality"])


def test_a_stated_delay_that_is_too_short_is_told(setting):
    project, digest = setting
    delay = label_report(project, journal(digest)[0])["label_delay"]
    assert delay["is_stated_too_short"]  # the charter says four hours
    assert delay["p99"] > 24 * 3600 > 4 * 3600 == delay["stated"]
    quick = label_report(project, journal(digest, hours=(0.2, 0.3))[0])["label_delay"]
    assert not quick["is_stated_too_short"]


def test_without_labels_nothing_is_claimed(setting):
    project, _ = setting
    found = label_report(project, MemoryLedger())
    assert found["label_delay"] is None
    assert found["maturing"][0]["maturity"] is None
    assert found["maturing"][0]["quality"] == {}
