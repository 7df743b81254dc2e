import sys

import numpy as np
import pytest

from vitok.errors import UserMistake
from vitok.stats.change_detectors import first_change
from vitok.stats.scores import Undecidable


def alarms(detector, rounds, seed, later):
    """First alarms of streams of 20 000 errors whose share goes from 5 % to another at row 10 000."""
    rng = np.random.default_rng(seed)
    share = np.where(np.arange(20_000) < 10_000, 0.05, later)
    return [first_change((rng.random(20_000) < share).astype(int), detector).alarm for _ in range(rounds)]


@pytest.mark.parametrize(("detector", "delay"), [("adwin", 646), ("page_hinkley", 993)])
def test_doubled_error_share_is_found_with_the_stated_delay_and_without_it_there_is_peace(detector, delay):
    pytest.importorskip("river")
    found = alarms(detector, 30, 0, 0.10)
    assert min(found) >= 10_000
    assert np.mean(found) - 10_000 == pytest.approx(delay, rel=0.2)
    assert sum(alarm is not None for alarm in alarms(detector, 20, 1, 0.05)) <= 1


def test_ddm_alarms_without_a_change_as_often_as_stated():
    pytest.importorskip("river")
    quiet = alarms("ddm", 40, 2, 0.05)
    assert 0.35 < np.mean([alarm is not None for alarm in quiet]) < 0.85


def test_ddm_warns_before_it_alarms():
    pytest.importorskip("river")
    errors = np.concatenate([np.arange(1000) % 20 == 0, np.arange(500) % 3 == 0]).astype(int)
    found = first_change(errors, "ddm")
    assert found.alarm is not None
    assert 1000 <= found.warnings[-1] < found.alarm
    assert found.rows == found.alarm + 1


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley"])
def test_errors_of_a_regression_are_found_in_any_unit(detector):
    pytest.importorskip("river")
    rng = np.random.default_rng(3)
    errors = np.abs(rng.normal(size=8000)) * np.where(np.arange(8000) < 4000, 1.0, 1.4)
    one, two = (first_change(errors * unit, detector) for unit in (0.001, 37_000.0))
    assert one == two
    assert 4000 <= one.alarm < 5500


def test_detectors_are_river_s_own():
    drift = pytest.importorskip("river.drift")
    errors = (np.random.default_rng(4).random(6000) < np.where(np.arange(6000) < 3000, 0.1, 0.3)).astype(int)
    theirs, alarms_at = drift.ADWIN(), []
    for place, error in enumerate(errors.tolist()):
        theirs.update(error)
        if theirs.drift_detected:
            alarms_at.append(place)
    assert first_change(errors, "adwin").alarm == alarms_at[0]


def test_message_says_how_to_install_river(monkeypatch):
    monkeypatch.setitem(sys.modules, "river.drift", None)
    with pytest.raises(
        UserMistake, match=r"river is not installed. Install it with `pip install 'vitok\[det"
    ):
        first_change(np.zeros(10), "adwin")


@pytest.mark.parametrize(
    ("errors", "detector", "message"),
    [
        (np.zeros(0), "adwin", "no rows"),
        (np.array([0.0, np.nan]), "adwin", "missing, infinite or negative"),
        (np.array([0.0, -1.0]), "adwin", "missing, infinite or negative"),
        (np.linspace(0, 2, 400), "page_hinkley", "400 rows are too few to know the size of errors"),
        (np.concatenate([np.zeros(600), [0.5]]), "page_hinkley", "first 500 errors are zero"),
        (np.linspace(0, 2, 600), "ddm", "0 and 1 only"),
    ],
)
def test_streams_that_cannot_be_judged_say_why(errors, detector, message):
    with pytest.raises(Undecidable, match=message):
        first_change(errors, detector)
