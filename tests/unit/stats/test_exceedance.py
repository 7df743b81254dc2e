import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.stats.exceedance import log_evidence

TOLERATED = st.floats(0.01, 0.9)


def stake(hits, rows, tolerated):
    return math.exp(log_evidence(hits, rows, tolerated))


@given(st.integers(0, 60), st.integers(0, 60), TOLERATED, st.floats(0, 1))
def test_no_bet_gains_on_average_while_the_claim_holds(hits, misses, tolerated, part):
    """The next row's expected stake, for each share up to the tolerated one, from whatever was seen before."""
    rows, share = hits + misses, tolerated * part
    after = share * stake(hits + 1, rows + 1, tolerated) + (1 - share) * stake(hits, rows + 1, tolerated)
    assert after <= stake(hits, rows, tolerated) * (1 + 1e-9)


@given(st.integers(0, 400), st.integers(0, 400), TOLERATED, TOLERATED)
def test_tolerating_more_never_raises_the_evidence(hits, misses, one, other):
    low, high = sorted((one, other))
    assert log_evidence(hits, hits + misses, high) <= log_evidence(hits, hits + misses, low) + 1e-9


def test_large_counts_neither_overflow_nor_vanish():
    assert log_evidence(10**9, 10**9, 0.01) > 1e8
    assert -1e9 < log_evidence(0, 10**9, 0.5) < 0


@pytest.mark.parametrize("tolerated", [0.05, 0.1, 0.3])
def test_false_alarms_keep_their_budget_over_ten_thousand_rows_looked_at_after_each(tolerated):
    """At the very share that is tolerated; 4 000 callers, and the budget plus three standard errors."""
    alpha, callers, rows = 0.05, 4000, 10_000
    random = np.random.default_rng(7)
    seen = np.arange(1, rows + 1)
    alarms = 0
    fractions = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8])
    won = np.log1p(fractions * (1 - tolerated) / tolerated)
    lost = np.log1p(-fractions)
    for _ in range(callers // 40):
        hits = np.cumsum(random.random((40, rows)) < tolerated, axis=1)
        logs = hits[..., None] * won + (seen - hits)[..., None] * lost
        path = np.logaddexp.reduce(logs, axis=-1) - math.log(len(fractions))
        alarms += int((path.max(axis=1) >= math.log(1 / alpha)).sum())
        last = log_evidence(int(hits[0, -1]), rows, tolerated)
        assert last == pytest.approx(path[0, -1])
    assert alarms / callers <= alpha + 3 * math.sqrt(alpha / callers)


@pytest.mark.parametrize(("share", "most_rows"), [(0.15, 1500), (0.2, 500), (0.5, 60), (1.0, 10)])
def test_what_exceeds_is_found_soon(share, most_rows):
    """At one in 20 000 against a tolerated tenth: the median over 200 callers."""
    random, needed = np.random.default_rng(3), []
    for _ in range(200):
        hits = rows = 0
        while log_evidence(hits, rows, 0.1) < math.log(20_000):
            rows += 1
            hits += int(random.random() < share)
        needed.append(rows)
    assert np.median(needed) <= most_rows
