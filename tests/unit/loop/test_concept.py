"""Detectors of concept drift on the errors of the version in production."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from rollouts import START, two_versions
from vitok.errors import UserMistake
from vitok.journal.ledger import MemoryLedger
from vitok.kernel.clock import VirtualClock
from vitok.loop.concept import DETECTORS, project_concept
from vitok.registry import releases, versions, windows
from vitok.store.schema import versions as table

ROWS, CHANGE = 9000, 6000


@pytest.fixture
def setting(tmp_path):
    clock = VirtualClock(START)
    project = two_versions(tmp_path, clock)
    clock.move_to(START + timedelta(days=400))
    with project.engine.begin() as connection:
        digest = releases.current(connection).plan.champion.digest
        accepted = {"accuracy": {"value": 0.93, "low": 0.92, "high": 0.94, "rows": 2000, "method": "Wilson"}}
        connection.execute(table.update().values(metrics=accepted))
        assert versions.get(connection, 1).metrics == accepted
    yield project, digest
    project.engine.dispose()


def journal(digest, *, changes):
    """Wrong decisions, fewer than were accepted, become four times as many at a row."""
    rng = np.random.default_rng(1)
    share = np.where((np.arange(ROWS) >= CHANGE) & changes, 0.20, 0.05)
    late = rng.random(ROWS) < 0.5
    said = late ^ (rng.random(ROWS) < share)
    times = [START + timedelta(minutes=40 * number) for number in range(ROWS)]
    ids = [str(number) for number in range(ROWS)]
    found = MemoryLedger()
    found.append_predictions(
        pl.DataFrame(
            {
                "id": ids,
                "time": times,
                "score": said.astype(float),
                "decision": ["true" if each else "false" for each in said],
                "digest": digest,
                "version": 1,
            }
        )
    )
    known = [time + timedelta(hours=3) for time in times]
    found.append_outcomes(
        pl.DataFrame({"id": ids, "value": [json.dumps(bool(each)) for each in late], "time": known})
    )
    return found


def test_a_change_of_errors_is_seen_soon_and_by_its_label(setting):
    project, digest = setting
    found = project_concept(project, None, None, journal=journal(digest, changes=True))
    assert (found["version"], found["rows"]) == (1, ROWS)
    for name in ("e_detector", "adwin", "page_hinkley"):
        row = found["detectors"][name]["row"]
        assert CHANGE < row < CHANGE + 900, name
        known = START + timedelta(minutes=40 * row, hours=3)
        assert found["detectors"][name]["changed"] == known.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_without_a_change_the_own_detector_is_silent(setting):
    project, digest = setting
    found = project_concept(project, None, None, ("e_detector",), journal(digest, changes=False))
    assert found["detectors"]["e_detector"] == {"changed": None, "row": None, "warnings": 0}


def test_a_period_without_labels_decides_nothing_and_no_other_detector_is_known(setting):
    project, digest = setting
    found = project_concept(project, START - timedelta(days=9), START, journal=journal(digest, changes=True))
    assert found["rows"] == 0
    assert all("undecidable" in each for each in found["detectors"].values())
    with pytest.raises(UserMistake, match="Did you mean 'adwin'"):
        project_concept(project, None, None, ("adwim",), journal(digest, changes=False))
    assert DETECTORS[0] == "e_detector"


def test_errors_are_held_against_the_version_before_too(setting):
    """Errors of 25 % are what the version before made, and far more than what was accepted."""
    project, digest = setting
    with project.engine.begin() as connection:
        for day in range(60):
            share = 0.25 if day < 30 else 0.05
            accuracy = {
                "value": 1 - share,
                "low": 0.97 - share,
                "high": 1.03 - share,
                "rows": 900,
                "method": "t",
            }
            windows.save_window(
                connection,
                start=START + timedelta(days=day - 30),
                end=START + timedelta(days=day - 29),
                state="final",
                rows=900,
                labelled=900,
                version=2 if day < 30 else 1,
                drift=[],
                quality={"accuracy": accuracy},
                details={},
            )
    rows = journal(digest, changes=True)
    accepted = project_concept(project, None, None, ("e_detector",), rows)
    before = project_concept(project, None, None, ("e_detector",), rows, against="previous")
    assert accepted["against"]["error"] == pytest.approx(0.08)
    assert accepted["detectors"]["e_detector"]["changed"]
    assert 0.25 < before["against"]["error"] < 0.28
    assert before["detectors"]["e_detector"]["changed"] is None
    late = START + timedelta(days=200)  # where no windows are kept there is nothing to compare with
    nothing = project_concept(project, late, None, ("e_detector",), rows, against="season")
    assert nothing["against"]["error"] is None
    assert "an accuracy to compare" in nothing["detectors"]["e_detector"]["undecidable"]
