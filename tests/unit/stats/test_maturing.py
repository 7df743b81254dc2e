import numpy as np
import pytest

from vitok.stats.estimates import estimate
from vitok.stats.intervals import delong
from vitok.stats.label_delay import Rows, fit_delays
from vitok.stats.maturing import mature_auc, mature_mean, maturity
from vitok.stats.scores import Scored, Undecidable

CUT = 0.4


def world(rng, rows, oldest, youngest):
    """Days; positives come late, the more so the higher their score; a tenth of the labels never comes."""
    age, scores = rng.uniform(youngest, oldest, rows), rng.beta(2, 3, rows)
    truth = (rng.random(rows) < scores).astype(int)
    delay = rng.exponential(np.where(truth == 1, 20.0, 5.0) * (0.5 + scores))
    delay[rng.random(rows) < 0.1] = np.inf
    known = np.where(delay <= age, delay - age, np.nan)
    return Rows(-age, known, 0.0, scores, np.where(np.isnan(known), -9, truth)), truth


def figures(rows, truth, table):
    flagged = (rows.scores > CUT).astype(float)
    both = flagged * truth
    return {
        "accuracy": mature_mean((flagged == truth).astype(float), rows, table),
        "precision": mature_mean(both, rows, table, bottom=flagged),
        "recall": mature_mean(both, rows, table, bottom=truth.astype(float)),
        "brier": mature_mean((rows.scores - truth) ** 2, rows, table),
        "roc_auc": mature_auc(rows, table),
    }


def in_the_long_run():
    rows, truth = world(np.random.default_rng(0), 400_000, 10, 9)
    flagged = rows.scores > CUT
    return {
        "accuracy": (flagged == truth).mean(),
        "precision": truth[flagged].mean(),
        "recall": flagged[truth == 1].mean(),
        "brier": ((rows.scores - truth) ** 2).mean(),
        "roc_auc": delong(truth == 1, rows.scores)[0],
    }


def test_half_mature_windows_are_corrected_and_their_intervals_hold_the_truth():
    rng, rounds, naive = np.random.default_rng(1), 100, []
    true = in_the_long_run()
    held, missed = dict.fromkeys(true, 0), {name: [] for name in true}
    for _ in range(rounds):
        table = fit_delays(world(rng, 4000, 150, 0)[0])
        rows, truth = world(rng, 1500, 8, 4)
        labelled = rows.has_label() & (rows.scores > CUT)
        naive.append(truth[labelled].mean() - true["precision"])
        for name, found in figures(rows, truth, table).items():
            held[name] += found.low <= true[name] <= found.high
            missed[name].append(found.value - true[name])
    assert np.mean(naive) < -0.2
    for name in true:
        assert 0.82 <= held[name] / rounds <= 0.98, name
        assert abs(np.mean(missed[name])) < 0.012, name


def test_intervals_narrow_as_a_window_matures_and_end_as_those_of_all_labels():
    rng = np.random.default_rng(2)
    table = fit_delays(world(rng, 8000, 200, 0)[0])
    widths, shares = [], []
    for age in (5, 10, 30, 200):
        rows, truth = world(rng, 1500, age + 1, age)
        found = mature_mean(((rows.scores > CUT) == truth).astype(float), rows, table)
        widths.append(found.high - found.low)
        shares.append(maturity(rows, table))
    assert widths == sorted(widths, reverse=True)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    done = rows.has_label()
    flagged = (rows.scores > CUT).astype(int)
    scored = Scored("binary", truth[done], rows.scores[done], flagged[done])
    full = estimate("accuracy", scored)
    assert (found.value, found.low, found.high) == pytest.approx((full.value, full.low, full.high), abs=2e-4)
    area, theirs = mature_auc(rows, table), estimate("roc_auc", scored)
    assert (area.value, area.low, area.high) == pytest.approx(
        (theirs.value, theirs.low, theirs.high), abs=2e-3
    )


def test_a_regression_has_strata_of_its_prediction_alone():
    rng = np.random.default_rng(3)

    def drawn(rows, oldest):
        age, value = rng.uniform(3, oldest, rows), rng.normal(size=rows)
        error = rng.normal(size=rows) * np.where(value > 0, 3.0, 1.0)
        delay = rng.exponential(np.where(value > 0, 20.0, 2.0))
        known = np.where(delay <= age, delay - age, np.nan)
        return Rows(-age, known, 0.0, value), np.abs(error)

    table = fit_delays(drawn(5000, 150)[0])
    rows, error = drawn(4000, 6)
    true = 2 * np.sqrt(2 / np.pi)
    found = mature_mean(np.where(rows.has_label(), error, np.nan), rows, table)
    assert error[rows.has_label()].mean() < 0.8 * true
    assert found.low <= true <= found.high


def test_a_perfect_window_has_an_interval_all_the_same():
    rng = np.random.default_rng(4)
    table = fit_delays(world(rng, 4000, 150, 0)[0])
    rows, _ = world(rng, 400, 10, 8)
    found = mature_mean(np.ones(400), rows, table)
    assert found.value == 1.0
    assert 0.95 < found.low < 0.995


def test_windows_without_enough_are_undecidable():
    rng = np.random.default_rng(5)
    table = fit_delays(world(rng, 4000, 150, 0)[0])
    young, truth = world(rng, 1000, 0.2, 0.1)
    with pytest.raises(Undecidable, match="0 labels have come to rows that are old enough, 30 are needed"):
        mature_mean(truth.astype(float), young, table)
    rows, truth = world(rng, 1000, 20, 10)
    unlabelled = Rows(rows.asked, np.full(1000, np.nan), 0.0, rows.scores, rows.outcomes)
    with pytest.raises(Undecidable, match="0 labels have come"):
        mature_auc(unlabelled, table)
    with pytest.raises(Undecidable, match="missing or infinite value"):
        mature_mean(np.full(1000, np.nan), rows, table)
    with pytest.raises(Undecidable, match="decides the figure"):
        mature_mean(truth.astype(float), rows, table, bottom=np.zeros(1000))
    with pytest.raises(Undecidable, match="of one class"):
        mature_auc(Rows(rows.asked, rows.known, 0.0, rows.scores, np.zeros(1000)), table)
    with pytest.raises(Undecidable, match="no row was predicted by now"):
        maturity(Rows(rows.asked, rows.known, -1e9, rows.scores, rows.outcomes), table)
