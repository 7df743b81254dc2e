import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf

from vitok.stats.label_delay import DelayTable, Rows, fit_delay, fit_delays
from vitok.stats.scores import Undecidable

# Weeks of remission under 6-mercaptopurine, and whether they ended (Freireich et al., Blood 21, 1963).
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def seen(delay, age):
    """Rows of these ages at the moment 0 whose labels take so long; infinite: never."""
    asked = -np.asarray(age, dtype=float)
    known = asked + delay
    return Rows(asked, np.where(known <= 0, known, np.nan), 0.0)


def test_curve_is_that_of_the_textbook():
    weeks, ended = (np.repeat(np.array(each, dtype=float), 10) for each in (WEEKS, ENDED))
    curve = fit_delay(seen(np.where(ended == 1, weeks, np.inf), np.where(ended == 1, 40.0, weeks)))
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for week, remaining in published.items():
        assert 1 - curve.share_come(np.array([float(week)]))[0] == pytest.approx(remaining, abs=0.0005)
    assert curve.age_for(0.5) == 13.0
    assert curve.never == pytest.approx(0.448, abs=0.0005)


@given(st.integers(0, 10_000))
def test_curve_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    delay, age = rng.integers(1, 30, 150).astype(float), rng.integers(5, 60, 150).astype(float)
    rows = seen(delay, age)
    curve = fit_delay(rows)
    time = np.where(rows.has_label(), delay, age)
    done = rows.has_label()
    theirs = ecdf(CensoredData(uncensored=time[done], right=time[~done])).cdf
    ages = np.arange(1, curve.horizon + 1)
    assert curve.share_come(ages) == pytest.approx(theirs.evaluate(ages))


def test_delays_are_learned_although_long_ones_are_seen_only_of_old_rows():
    rng = np.random.default_rng(0)
    delay = np.where(rng.random(20_000) < 0.2, np.inf, rng.exponential(10, 20_000))
    rows = seen(delay, rng.uniform(0, 100, 20_000))
    curve = fit_delay(rows)
    naive = np.nanmedian(rows.delay())
    assert naive < 6.5
    assert curve.age_for(0.5) == pytest.approx(10 * np.log(2), rel=0.05)
    assert curve.never == pytest.approx(0.2, abs=0.015)
    assert len(json.dumps(fit_delays(rows).to_json())) < 20_000


def test_outcomes_and_scores_get_their_own_curves_and_survive_json():
    rng = np.random.default_rng(1)
    scores = rng.random(20_000)
    truth = (rng.random(20_000) < scores).astype(int)
    plain = seen(
        rng.exponential(np.where(truth == 1, 30.0, 5.0) * (0.5 + scores)), rng.uniform(0, 400, 20_000)
    )
    rows = Rows(plain.asked, plain.known, 0.0, scores, np.where(plain.has_label(), truth, -7))
    table = DelayTable.from_json(json.loads(json.dumps(fit_delays(rows, bins=4).to_json())))
    assert table == fit_delays(rows, bins=4)
    for number, middle in ((0, 0.125), (3, 0.875)):
        for code, mean in ((0, 5.0), (1, 30.0)):
            median = mean * (0.5 + middle) * np.log(2)
            assert table.of(number, code).age_for(0.5) == pytest.approx(median, rel=0.15)
    assert table.of(99, 1) == table.curves[-1, 1]
    assert table.of(99, 5) == table.curves[-1, -1]


def test_a_rare_outcome_goes_by_the_nearest_curve():
    age = np.full(400, 10.0)
    rows = seen(np.where(np.arange(400) < 300, 1.0, np.inf), age)
    outcomes = (np.arange(400) < 5).astype(int)
    table = fit_delays(Rows(rows.asked, rows.known, 0.0, np.linspace(0, 1, 400), outcomes))
    assert table.of(0, 1) == table.curves[-1, -1]


def test_all_labels_at_once_are_one_step():
    curve = fit_delay(seen(np.full(200, 7.0), np.full(200, 30.0)))
    assert curve.ages == (7.0,)
    assert list(curve.share_come(np.array([6.9, 7.0, 500.0]))) == [0.0, 1.0, 1.0]
    assert curve.never == 0.0


def test_odd_clocks_behave_as_stated():
    asked = np.concatenate([np.full(100, -10.0), np.full(50, -10.0), np.full(50, 5.0), [np.nan]])
    known = np.concatenate([np.full(100, -12.0), np.full(50, 3.0), np.full(50, -1.0), [-2.0]])
    rows = Rows(asked, known, 0.0)
    curve = fit_delay(rows)
    assert (curve.rows, curve.labels) == (150, 100)  # from the future: not come, or left out
    assert curve.share_come(np.array([0.0]))[0] == pytest.approx(2 / 3)  # before its prediction: at once


@pytest.mark.parametrize(
    ("delay", "age", "message"),
    [
        (np.zeros(0), np.zeros(0), "0 rows are too few"),
        (np.ones(1), np.full(1, 5.0), "1 rows are too few"),
        (np.full(200, np.inf), np.full(200, 5.0), "0 labels of 200 rows are too few"),
        (np.ones(200), np.full(200, -5.0), "0 rows are too few"),
    ],
)
def test_too_little_to_learn_from_is_said(delay, age, message):
    with pytest.raises(Undecidable, match=message):
        fit_delay(seen(delay, age))


def test_a_share_that_cannot_come_is_refused():
    curve = fit_delay(seen(np.arange(200) % 9 + 1.0, np.full(200, 30.0)))
    assert curve.age_for(1.0) == 9.0
    with pytest.raises(ValueError, match="not at 0"):
        curve.age_for(0)
