from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.expressions import (
    Alarm,
    Bound,
    Comparison,
    Labels,
    Schedule,
    Slice,
    parse_expression,
)
from vitok.errors import CharterMistake

WORDS = {"drift", "quality", "labels", "schedule", "slice", "baseline", "champion", "accepted"}
WORDS |= {"hourly", "daily", "weekly", "monthly"}
names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name not in WORDS)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4) + 0.0)
bounds = st.one_of(
    st.builds(Bound, st.none(), st.just(1.0), numbers),
    st.builds(
        Bound,
        st.sampled_from(["baseline", "champion", "accepted"]),
        st.floats(0.01, 10).map(lambda value: round(value, 3)),
        numbers,
    ),
)
texts = st.text(
    st.characters(exclude_characters='"\n', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10
)
columns = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True).filter(lambda name: name not in WORDS)
slices = st.one_of(st.none(), st.builds(Slice, columns, st.one_of(st.none(), texts)))
comparisons = st.builds(Comparison, names, st.sampled_from([">=", "<=", ">", "<"]), bounds, slices)
periods = st.one_of(
    st.just("monthly"), st.integers(1, 10_000).map(lambda minutes: timedelta(minutes=minutes))
)
expressions = st.one_of(
    comparisons,
    st.sampled_from([Alarm("drift"), Alarm("quality")]),
    st.builds(Schedule, periods),
    st.builds(Labels, st.integers(0, 10**9)),
)


@given(expressions)
def test_printed_expression_parses_to_an_equal_one(expression):
    assert parse_expression(str(expression)) == expression


@given(
    st.one_of(
        st.text(max_size=40), st.text("roc_aucslice(drift)>=<.0123456789%*+- \"'\n=labels", max_size=30)
    )
)
def test_any_text_parses_or_is_a_charter_mistake(text):
    with suppress(CharterMistake):
        parse_expression(text, "here")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("accuracy > 95 %", Comparison("accuracy", ">", Bound(None, 1.0, 0.95))),
        ("rmse<1.1*champion", Comparison("rmse", "<", Bound("champion", 1.1, 0.0))),
        ("roc_auc >= champion-0.002", Comparison("roc_auc", ">=", Bound("champion", 1.0, -0.002))),
        ('slice(état="a b").f1>1e-3', Comparison("f1", ">", Bound(None, 1.0, 0.001), Slice("état", "a b"))),
        ("schedule(weekly)", Schedule(timedelta(days=7))),
        ("schedule(90min)", Schedule(timedelta(minutes=90))),
        ("labels>=20000", Labels(20000)),
    ],
)
def test_expression_means_what_it_says(text, meaning):
    assert parse_expression(text) == meaning


@pytest.mark.parametrize(
    ("text", "character"), [("roc_auc => 1", 9), ("roc_auc", 8), ("", 1), ("a >= b", 6), ("labels > 3", 8)]
)
def test_mistake_points_at_the_character(text, character):
    with pytest.raises(CharterMistake, match=f"at character {character}"):
        parse_expression(text)
