import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.predicates import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    IsIn,
    IsNull,
    Not,
    columns_of,
    compile_condition,
    parse_condition_on_rows,
)
from vitok.errors import CharterMistake


def evaluated(text, row):
    return compile_condition(parse_condition_on_rows(text, "here"), lambda name: lambda row: row.get(name))(
        row
    )


@pytest.mark.parametrize(
    ("text", "row", "found"),
    [
        ("a < 3", {"a": 2.5}, True),
        ("a < 3", {"a": None}, None),
        ("not a < 3", {"a": None}, None),
        ("a < 3 or b = 'x'", {"a": None, "b": "x"}, True),
        ("a < 3 and b = 'x'", {"a": None, "b": "y"}, False),
        ("a < 3 and b = 'x'", {"a": None, "b": "x"}, None),
        ("a is null", {"a": None}, True),
        ("a IS NOT NULL", {"a": 0}, True),
        ("a in (1, 2.5) and b not in ('x', 'y')", {"a": 2.5, "b": "z"}, True),
        ("a between 1 and 3", {"a": 3}, True),
        ("b = 'it''s'", {"b": "it's"}, True),
        ('"class of 1st/2nd" >= 2', {"class of 1st/2nd": 2}, True),
        ("b = 1", {"b": "1"}, False),
        ("b < 1", {"b": "0"}, None),
        ("flag = true", {"flag": True}, True),
        ("not (a = 1 or a = 2)", {"a": 3}, True),
    ],
)
def test_condition_is_tested_as_in_sql(text, row, found):
    assert evaluated(text, row) is found


numbers = st.one_of(st.none(), st.integers(-3, 3))
texts = st.one_of(st.none(), st.sampled_from(["x", "y", "it's"]))
leaves = st.one_of(
    st.builds(
        lambda o, v: f"a {o} {v}",
        st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "<>"]),
        st.integers(-3, 3),
    ),
    st.builds(lambda o, v: f"t {o} '{v}'", st.sampled_from(["=", "!="]), st.sampled_from(["x", "y"])),
    st.sampled_from(
        ["a is null", "t is not null", "a in (1, 2)", "t not in ('x', 'y')", "a between -1 and 1"]
    ),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        inner.map("not ({})".format),
    ),
    max_leaves=6,
)


@given(conditions, st.lists(st.tuples(numbers, texts), min_size=1, max_size=8))
def test_rows_that_the_data_engine_finds_are_the_same(text, rows):
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "t": pl.String}, orient="row")
    engine = (
        pl.SQLContext(rows=frame).execute(f"SELECT COUNT(*) AS n FROM rows WHERE {text}", eager=True).item()
    )
    assert sum(evaluated(text, row) is True for row in frame.to_dicts()) == engine


@given(conditions)
def test_condition_survives_the_plan(text):
    condition = parse_condition_on_rows(text, "here")
    assert msgspec.json.decode(msgspec.json.encode(condition), type=Condition) == condition
    assert columns_of(condition) <= {"a", "t"}


@pytest.mark.parametrize(
    "text", ["", "a", "a <", "a = ", "a in ()", "a = 'x", "drop table x", "a = 1; b = 2", "1 < a"]
)
def test_text_outside_of_the_grammar_is_refused_with_its_place(text):
    with pytest.raises(CharterMistake, match=r"here: cannot read the condition .* at character \d+"):
        parse_condition_on_rows(text, "here")


def test_tree_is_plain():
    found = parse_condition_on_rows("a = 1 and not (b is null or c in (1, 2))", "here")
    assert found == AllOf((Compare("a", "=", 1), Not(AnyOf((IsNull("b"), IsIn("c", (1, 2)))))))
