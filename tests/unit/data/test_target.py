import polars as pl
import pytest

from vitok.data.target import find_classes
from vitok.errors import DataMistake


@pytest.mark.parametrize(
    ("values", "stated", "classes"),
    [
        ([True, False, False], None, (False, True)),
        ([0, 1, 1], None, (0, 1)),
        (["no", "yes", "yes"], None, ("no", "yes")),
        (["gut", "böse", "gut"], None, ("gut", "böse")),
        (["gut", "böse", "gut"], "gut", ("böse", "gut")),
        (["True", "False", "False"], True, ("False", "True")),
        ([1.0, 2.0, 2.0], None, (2, 1)),
    ],
)
def test_positive_value_is_the_stated_the_affirmative_or_the_rarer_one(values, stated, classes):
    found = find_classes(pl.Series("t", values), "binary", stated)
    assert found.values == classes
    assert found.encode(pl.Series("t", values)).max() == 1


@pytest.mark.parametrize(
    ("values", "task", "stated", "says"),
    [
        (["a", "a"], "binary", None, "constant \\('a' in all 2"),
        ([], "binary", None, "nothing"),
        ([1, 2, 3], "binary", None, "has 3"),
        (["a", "b"], "binary", "c", "has no value 'c'"),
        (["a", "b"], "regression", None, "must be a number"),
        ([0.5, 1.5, 2.5], "multiclass", None, "no classes"),
        (list(range(101)), "multiclass", None, "101 distinct"),
    ],
)
def test_target_that_does_not_fit_its_task_is_refused(values, task, stated, says):
    with pytest.raises(DataMistake, match=says):
        find_classes(pl.Series("t", values), task, stated)


def test_value_that_is_no_known_class_is_named():
    classes = find_classes(pl.Series("t", ["a", "b", "c"]), "multiclass", None)
    with pytest.raises(DataMistake, match="'d'"):
        classes.encode(pl.Series("t", ["a", "d"]))
