"""Distances against scipy, and their behaviour without a change."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from vitok.stats.distances import (
    LEAST_SHARE,
    chi_square,
    groups_of_equal_mass,
    hellinger,
    js,
    kl,
    ks,
    psi,
    psi_critical,
    two_proportions,
    wasserstein,
)

A, B = np.array([120, 340, 80, 60]), np.array([90, 210, 150, 20])
P, Q = A / A.sum(), B / B.sum()


def test_distances_equal_those_of_scipy() -> None:
    assert psi(A, B, corrected=False) == pytest.approx(float(np.sum((Q - P) * np.log(Q / P))))
    assert kl(A, B, corrected=False) == pytest.approx(stats.entropy(Q, P))
    assert js(A, B, corrected=False) == pytest.approx(jensenshannon(P, Q, base=2))
    assert hellinger(A, B, corrected=False) == pytest.approx(
        np.sqrt(np.sum((np.sqrt(P) - np.sqrt(Q)) ** 2) / 2)
    )
    statistic, p, _, _ = stats.chi2_contingency(np.array([A, B]), correction=False)
    assert chi_square(A, B) == pytest.approx((statistic, p))
    rows = [np.repeat(np.arange(4), counts) for counts in (A, B)]
    assert ks(A, B) == pytest.approx(stats.ks_2samp(*rows).statistic)


def test_wasserstein_is_the_area_over_the_ranks_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    then, now = rng.standard_normal(200_000), rng.standard_normal(200_000) + 0.5
    edges = np.quantile(then, np.linspace(0, 1, 65)[1:-1])
    counts = [np.bincount(np.searchsorted(edges, values), minlength=64) for values in (then, now)]
    exact = stats.wasserstein_distance(stats.norm.cdf(then), stats.norm.cdf(now))
    assert wasserstein(*counts) == pytest.approx(exact, abs=0.002)
    assert wasserstein(counts[0], counts[0]) == 0


def test_psi_without_a_change_has_the_published_law() -> None:
    # n = m = 100, ten bins: mean .188, above .1 in 85 %; at 500: .3 %.
    for rows, mean, above in ((100, 0.188, 0.85), (500, 0.0363, 0.003)):
        rng = np.random.default_rng(rows)
        drawn = rng.multinomial(rows, np.full(10, 0.1), size=(4000, 2))
        values = np.array([psi(a, b, corrected=False) for a, b in drawn])
        assert values.mean() == pytest.approx(mean, rel=0.03)
        assert np.mean(values > 0.1) == pytest.approx(above, abs=0.02 if above > 0.5 else 0.003)
        limit = psi_critical(10, rows, rows, 0.05)
        assert np.mean(values > limit) == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("distance", [psi, kl, js, hellinger])
def test_corrected_distances_of_the_same_distribution_are_near_zero_at_any_size(distance) -> None:  # type: ignore[no-untyped-def]
    for rows in (300, 3000, 300_000):
        rng = np.random.default_rng(rows)
        drawn = rng.multinomial(rows, np.full(20, 0.05), size=(200, 2))
        plain = np.mean([distance(a, b, corrected=False) for a, b in drawn])
        corrected = np.mean([distance(a, b) for a, b in drawn])
        assert corrected < 0.5 * plain


def test_five_thousand_unchanged_levels_have_no_distance() -> None:
    rng = np.random.default_rng(1)
    share = 1 / np.arange(1, 5001) ** 1.1
    a, b = rng.multinomial(1_000_000, share / share.sum(), size=2)
    assert psi(a, b, corrected=False) > 0.008
    assert psi(a, b) < 0.001


def test_a_new_bin_weighs_the_same_at_any_number_of_rows() -> None:
    small, large = (
        psi(np.array([1000 * k, 0]), np.array([970 * k, 30 * k]), corrected=False) for k in (10, 1000)
    )
    assert small == pytest.approx(large)
    assert large == pytest.approx(
        (0.03 - LEAST_SHARE) * np.log(0.03 / LEAST_SHARE) + 0.03 * np.log(1 / 0.97), abs=1e-3
    )


def test_bins_that_are_empty_on_both_sides_change_nothing() -> None:
    assert psi(np.append(A, 0), np.append(B, 0)) == psi(A, B)
    assert chi_square(np.append(A, 0), np.append(B, 0)) == chi_square(A, B)
    assert psi(np.array([10, 0]), np.array([500, 0])) == 0
    assert chi_square(np.array([10, 0]), np.array([500, 0])) == (0.0, 1.0)


def test_groups_hold_equal_mass_and_keep_a_heavy_bin_apart() -> None:
    group = groups_of_equal_mass(np.full(64, 10))
    assert np.bincount(group).tolist() == pytest.approx([64 / 10] * 10, abs=1)
    assert groups_of_equal_mass(np.array([0, 900, 30, 30, 40])).tolist() == [0, 1, 2, 2, 2]
    assert groups_of_equal_mass(np.zeros(0, dtype=int)).tolist() == []


def test_two_proportions_equal_the_uncorrected_chi_square_test() -> None:
    table = np.array([[20, 980], [55, 1145]])
    assert two_proportions((20, 55), (1000, 1200)) == pytest.approx(
        stats.chi2_contingency(table, correction=False)[1]
    )
    assert two_proportions((0, 0), (10, 10)) == two_proportions((10, 10), (10, 10)) == 1.0
