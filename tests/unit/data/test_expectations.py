from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.data.expectations import Column, Expectations, coerce, enforce, from_yaml, infer, to_yaml
from vitok.errors import DataMistake

DIRTY = pl.DataFrame(
    {
        "size": ["1,5", "2", None, "3 000", *["4"] * 60, "kaputt"],
        "flag": [True, False, None, *[True] * 62],
        "when": pl.Series([datetime(2020, 1, 1, tzinfo=UTC)] * 65),
        "kind": ["a", " b ", *["c"] * 63],
        "none": [None] * 65,
    },
    strict=False,
)


def test_kinds_are_inferred_and_cells_that_do_not_read_are_counted():
    expected = infer(DIRTY, [])
    assert {name: column.type for name, column in expected.columns.items()} == {
        "size": "number",
        "flag": "boolean",
        "when": "time",
        "kind": "text",
        "none": "text",
    }
    frame, lost = coerce(DIRTY, expected)
    assert lost == {"size": 1}
    assert frame["size"].head(4).to_list() == [1.5, 2.0, None, 3000.0]
    assert frame["kind"][1] == "b"
    enforce(frame, expected, "e.yaml")


def test_numbers_that_no_model_can_take_count_as_missing():
    frame, lost = coerce(
        pl.DataFrame({"x": [1.0, float("inf"), float("nan"), 1e39, -1e300]}),
        Expectations(columns={"x": Column(type="number")}),
    )
    assert frame["x"].to_list() == [1.0, None, None, None, None]
    assert lost == {"x": 4}


def test_nested_cells_count_as_missing():
    frame, lost = coerce(pl.DataFrame({"x": [[1], [2]]}), Expectations(columns={"x": Column(type="text")}))
    assert (frame["x"].to_list(), lost) == ([None, None], {"x": 2})


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=150), min_size=1, max_size=4, unique=True
    )
)
def test_file_reads_back_whatever_the_columns_are_called(names):
    written = Expectations(columns={name: Column(type="text", low=1.5, values=["a, b"]) for name in names})
    assert from_yaml(to_yaml(written), "e.yaml") == written


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ({"x": Column(type="number", low=1)}, ["x: 2 row(s) lie below", "rows [0, 1]", "[-1.0, 0.0]"]),
        ({"x": Column(type="number", high=1)}, ["x: 1 row(s) lie above", "rows [3]", "[2.0]"]),
        ({"k": Column(type="text", values=["a"])}, ["k: 1 row(s) are not among", "rows [2]", "['b']"]),
        ({"k": Column(type="text", unique=True)}, ["k:", "repeat a value", "rows [0, 1]"]),
        ({"k": Column(type="text", max_missing=0.1)}, ["k: 25.0% missing", "rows [3]"]),
        ({"gone": Column(type="text")}, ["expected columns are gone: gone"]),
    ],
)
def test_rows_that_fail_are_named(expected, says):
    frame = pl.DataFrame({"x": [-1.0, 0.0, 1.0, 2.0], "k": ["a", "a", "b", None]})
    with pytest.raises(DataMistake) as caught:
        enforce(frame, Expectations(columns=expected), "e.yaml")
    for words in (*says, "e.yaml"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[", "a", "columns: 3", "columns: {x: {type: int}}", "columns: {}\nmin: 3", ""]
)
def test_file_that_is_none_is_refused_by_name(text):
    with pytest.raises(DataMistake, match=r"e\.yaml"):
        from_yaml(text, "e.yaml")
