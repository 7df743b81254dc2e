from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.data.splits import split
from vitok.errors import DataMistake

START = datetime(2020, 1, 1, tzinfo=UTC)


def parts_of(truth, **changes):
    options = {"by": None, "test": 0.2, "validation": 0.1, "classes": (), "seed": 0}
    times = changes.pop("times", None)
    return split(np.asarray(truth), times, **{**options, **changes})


def test_split_by_time_tests_on_the_last_rows():
    shuffled = np.random.default_rng(0).permutation(100)
    times = pl.Series([START + timedelta(days=int(day)) for day in shuffled])
    parts = parts_of(np.zeros(100), times=times)
    assert parts.by == "time"
    assert sorted(shuffled[parts.test]) == list(range(80, 100))
    assert sorted(shuffled[parts.validation]) == list(range(70, 80))


def test_test_part_can_be_a_period():
    times = pl.Series([START + timedelta(hours=hour) for hour in range(100)])
    assert len(parts_of(np.zeros(100), times=times, test=timedelta(days=1)).test) == 24


@given(
    st.integers(100, 300), st.floats(0.2, 0.5), st.integers(0, 5)
)  # fewer can have validation rows of one class
def test_stratified_parts_are_disjoint_and_have_the_shares_of_the_whole(rows, share, seed):
    truth = (np.arange(rows) < rows * share).astype(int)
    parts = parts_of(truth, classes=(False, True), seed=seed)
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(range(rows))
    for part in (parts.train, parts.validation, parts.test):
        assert abs(truth[part].sum() - len(part) * truth.mean()) <= 2


def test_only_row_of_a_class_is_trained_on():
    for seed in range(20):
        truth = np.array([2] + [0, 1] * 50)
        assert 0 in parts_of(truth, classes=("a", "b", "rare"), seed=seed).train


@pytest.mark.parametrize(
    ("truth", "changes", "says"),
    [
        ([0, 1, 0], {}, "0 to validate"),
        ([0] * 90 + [1] * 10, {"by": "random", "classes": (0, 1), "test": 0.89}, "training rows"),
        ([1] + [0] * 99, {"classes": (0, 1)}, "validation rows are of one class"),
        ([0.0] * 50, {"by": "time"}, "needs task.time"),
        ([0.0] * 50, {"test": timedelta(days=1)}, "period needs a split by time"),
    ],
)
def test_split_that_cannot_be_judged_on_is_refused(truth, changes, says):
    with pytest.raises(DataMistake, match=says):
        parts_of(truth, **changes)


def test_class_that_comes_only_later_is_named():
    times = pl.Series([START + timedelta(days=day) for day in range(100)])
    with pytest.raises(DataMistake, match="'new'"):
        parts_of([0, 1] * 45 + [2] * 10, times=times, classes=("a", "b", "new"))
