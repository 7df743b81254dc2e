"""Rows that differ only together."""

import numpy as np
import pytest

from vitok.stats.multivariate import apart
from vitok.stats.scores import Undecidable

NAMES = ("a", "b", "c", "level")


def _rows(count: int, seed: int, link: float = 0.9, shift: float = 0.0) -> np.ndarray:
    """`b` goes with `a`; each by itself is standard normal."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(count)
    b = link * a + np.sqrt(1 - link**2) * rng.standard_normal(count)
    c = rng.standard_normal(count) + shift
    return np.column_stack([a, b, c, rng.integers(0, 3, count)])


def test_rows_alike_cannot_be_told_apart() -> None:
    found = apart(_rows(3000, 1), _rows(1500, 2), NAMES, categorical=(3,))
    assert found.auc.low < 0.53
    assert found.rebuilt == pytest.approx(1.0, abs=0.12)


def test_columns_that_no_longer_go_together_are_seen_though_each_is_as_before() -> None:
    found = apart(_rows(3000, 1), _rows(1500, 2, link=0.0), NAMES, categorical=(3,))
    assert found.auc.low > 0.6
    assert set(found.leans_on[:2]) == {"a", "b"}
    assert found.rebuilt is not None
    assert found.rebuilt > 1.5


def test_one_shifted_column_is_what_the_classifier_leans_on() -> None:
    found = apart(_rows(3000, 1), _rows(1500, 2, shift=1.0), NAMES, categorical=(3,))
    assert found.auc.low > 0.6
    assert found.leans_on[0] == "c"


def test_gaps_constants_and_outliers_do_not_stop_it_and_few_rows_do() -> None:
    then, now = _rows(500, 1), _rows(400, 2)
    then[:, 0], now[::2, 1], now[0, 2] = 7.0, np.nan, 1e300
    then[:, 2] = np.nan
    found = apart(then, now, NAMES, categorical=(3,))
    assert 0.4 < found.auc.value <= 1.0
    with pytest.raises(Undecidable, match="too few"):
        apart(then, now[:50], NAMES)
