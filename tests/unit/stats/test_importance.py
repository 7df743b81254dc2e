"""Permutation importance against what is known of the model, and scikit-learn's."""

import numpy as np
import polars as pl
import pytest
from sklearn.inspection import permutation_importance as reference
from sklearn.linear_model import LinearRegression

from vitok.stats.importance import permutation_importance


def test_importance_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"a": rng.normal(size=2000), "b": rng.normal(size=2000), "c": rng.normal(size=2000)})
    truth = 3 * frame["a"].to_numpy() + frame["b"].to_numpy() + rng.normal(size=2000)
    model = LinearRegression().fit(frame.to_numpy(), truth)

    def quality(some: pl.DataFrame) -> float:
        return float(model.score(some.to_numpy(), truth))

    found = permutation_importance(frame, frame.columns, quality)
    expected = reference(model, frame.to_numpy(), truth, n_repeats=20, random_state=0).importances_mean
    assert [found[name].drop for name in frame.columns] == pytest.approx(expected.tolist(), abs=0.05)
    assert found["a"].drop > found["b"].drop > abs(found["c"].drop)
    assert all(each.deviation < 0.1 for each in found.values())


def test_the_rest_of_the_rows_stays_and_the_seed_decides() -> None:
    frame = pl.DataFrame({"x": list(range(50)), "truth": list(range(50))})

    def quality(some: pl.DataFrame) -> float:
        assert some["truth"].to_list() == list(range(50))
        return float(-(some["x"] - some["truth"]).abs().sum())

    one = permutation_importance(frame, ["x"], quality, seed=3)
    assert one == permutation_importance(frame, ["x"], quality, seed=3)
    assert one != permutation_importance(frame, ["x"], quality, seed=4)
