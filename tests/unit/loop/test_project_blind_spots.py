"""Blind spots of the version in production, from the journal to the words on the screen."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.cli.blind_spots import render
from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.blind_spots import project_blind_spots
from vitok.registry import releases

ROWS = 6000


@pytest.fixture
def setting(tmp_path):
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    clock.move_to(START + timedelta(days=400))
    with project.engine.begin() as connection:
        digest = releases.current(connection).plan.champion.digest
    yield project, digest
    project.engine.dispose()


def journal(digest, *, blind, rows=ROWS):
    """Scores that say all there is to know, but nothing of Delta's flights where they are blind."""
    rng = np.random.default_rng(4)
    carrier = rng.choice(["AA", "DL", "UA"], rows)
    score = rng.beta(1.5, 2, rows)
    told = np.where((carrier == "DL") & blind, rng.permutation(score), score)
    late = rng.random(rows) < score
    times = [START + timedelta(minutes=20 * number) for number in range(rows)]
    ids = [str(number) for number in range(rows)]
    inputs = [
        json.dumps(
            {
                "temp": float(rng.normal(9, 4)),
                "distance": int(rng.integers(90, 2500)),
                "carrier": each,
                "holiday": None,
            }
        )
        for each in carrier.tolist()
    ]
    found = MemoryLedger()
    found.append_predictions(
        pl.DataFrame(
            {
                "id": ids,
                "time": times,
                "score": told,
                "decision": ["true" if each >= 0.5 else "false" for each in told],
                "digest": digest,
                "version": 1,
                "inputs": inputs,
            }
        )
    )
    known = [time + timedelta(hours=3) for time in times]
    found.append_outcomes(
        pl.DataFrame({"id": ids, "value": [json.dumps(bool(each)) for each in late], "time": known})
    )
    return found


def test_a_blind_spot_is_told_with_rows_metric_and_money(setting):
    project, digest = setting
    found = project_blind_spots(project, None, None, journal(digest, blind=True))
    (spot,) = found["blind_spots"]
    assert spot["condition"] == "carrier is DL"
    assert spot["share"] == pytest.approx(1 / 3, abs=0.03)
    assert spot["inside"]["value"] == pytest.approx(0.5, abs=0.06)
    assert spot["difference"]["high"] < -0.05 * spot["elsewhere"]["value"]
    assert 0 < spot["cost"]["low"] < spot["cost"]["value"] < spot["cost"]["high"]
    said = render(found)
    assert "carrier is DL" in said
    assert "at most 5% of such findings are vain" in said
    assert json.dumps(found)


def test_a_model_that_is_as_good_everywhere_has_none(setting):
    project, digest = setting
    found = project_blind_spots(project, None, None, journal(digest, blind=False))
    assert found["blind_spots"] == []
    assert found["why"] is None
    assert "No blind spot" in render(found)


def test_too_few_rows_and_a_period_without_length_say_so(setting):
    project, digest = setting
    found = project_blind_spots(project, None, None, journal(digest, blind=True, rows=300))
    assert found["why"] == "300 labelled rows are too few, 1000 are needed"
    assert "Not looked for: 300 labelled rows" in render(found)
    with pytest.raises(UserMistake, match="--from: 2013-03-01T00:00:00Z is not before"):
        project_blind_spots(project, START, START, MemoryLedger())
