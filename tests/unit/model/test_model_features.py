"""The user's feature function: whatever it raises becomes a mistake with a place."""

import polars as pl
import pytest

from vitok.errors import UserMistake
from vitok.model.features import load_feature_function

FRAME = pl.DataFrame({"a": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise ValueError('bad')", "fails: ValueError: bad"),
        ("raise SystemExit(3)", "fails: SystemExit: 3"),
        ("raise type('Panics', (BaseException,), {})('inside')", "fails: Panics: inside"),
        ("return frame.head(1)", "gives 1 rows for 2 rows"),
        ("return [1, 2]", "gives list for 2 rows"),
    ],
)
def test_whatever_goes_wrong_is_told_with_its_place(body, says):
    function = load_feature_function(f"def make(frame):\n    {body}\n", "make", "features.py")
    with pytest.raises(UserMistake, match=r"features\.py:make") as told:
        function(FRAME)
    assert says in str(told.value)


def test_an_interrupt_of_the_user_stays_one():
    function = load_feature_function("def make(frame):\n    raise KeyboardInterrupt\n", "make", "features.py")
    with pytest.raises(KeyboardInterrupt):
        function(FRAME)


@pytest.mark.parametrize(
    "source", ["def make(:\n", "import nothing_like_it\n", "raise SystemExit\n", "make = 3\n", ""]
)
def test_module_that_cannot_be_used_is_told(source):
    with pytest.raises(UserMistake, match=r"features\.py"):
        load_feature_function(source, "make", "features.py")
