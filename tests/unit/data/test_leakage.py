import numpy as np
import polars as pl
import pytest

from vitok.data.leakage import find_leaks

ROWS = 4000


def names(columns, truth, classes):
    return [leak.column for leak in find_leaks(pl.DataFrame(columns), truth, classes, 0)]


@pytest.fixture
def noise():
    return np.random.default_rng(3)


def test_planted_leaks_of_a_binary_target_are_found_and_honest_features_are_not(noise):
    truth = noise.integers(0, 2, ROWS)
    columns = {
        "copy": truth,
        "scaled": truth * 1000.0 + noise.normal(0, 1, ROWS),
        "word": np.where(truth == 1, "paid", "open"),
        "flag": truth == 0,
        "missing only if negative": pl.Series(noise.normal(size=ROWS)).set(pl.Series(truth == 0), None),
        "strong": truth + noise.normal(0, 0.5, ROWS),  # AUC about .92
        "weak": noise.normal(size=ROWS),
        "id": np.arange(ROWS),
        "text id": [f"row {row}" for row in range(ROWS)],
    }
    found = ["copy", "scaled", "word", "flag", "missing only if negative"]
    assert names(columns, truth, 2) == found


def test_planted_leaks_of_many_classes_and_of_a_number_are_found(noise):
    codes = noise.integers(0, 5, ROWS)
    assert names({"code": codes * 3.0, "noise": noise.normal(size=ROWS)}, codes, 5) == ["code"]
    values = noise.normal(size=ROWS)
    columns = {"converted": values * 1.8 + 32, "half": values + noise.normal(size=ROWS)}
    assert names(columns, values, 0) == ["converted"]


def test_too_few_rows_accuse_nobody():
    assert names({"x": np.arange(30) % 2}, np.arange(30) % 2, 2) == []


def test_rare_positives_do_not_make_every_feature_a_leak(noise):
    truth = (np.arange(ROWS) % 500 == 0).astype(int)
    assert names({"x": noise.normal(size=ROWS), "k": noise.integers(0, 9, ROWS)}, truth, 2) == []
