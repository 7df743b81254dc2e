import re
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitok.charter.expressions import (
    ROLES,
    Alarm,
    Ask,
    Bound,
    Comparison,
    Gap,
    Labels,
    Schedule,
    Slice,
    WorstSlice,
    parse_expression,
)
from vitok.errors import CharterMistake

WORDS = {"drift", "quality", "labels", "schedule", "slice", "baseline", "champion", "accepted"}
WORDS |= {"hourly", "daily", "weekly", "monthly", "worst_slice", "gap", "ask", "for", "window", *ROLES}
names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name not in WORDS)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4) + 0.0)
texts = st.text(
    st.characters(exclude_characters='"\n', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10
)
columns = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True).filter(lambda name: name not in WORDS)
units = st.sampled_from(["", "ms", "s", "min", "h", "d", "w", "kB", "MB", "GB"])
groups = st.builds(Slice, columns, texts)


def bound(reference, factor, offset, unit):
    return Bound(reference, factor, offset, unit if offset or reference is None else "")


bounds = st.one_of(
    st.builds(bound, st.none(), st.just(1.0), numbers, units),
    st.builds(
        bound,
        st.one_of(st.sampled_from(["baseline", "champion", "accepted"]), groups),
        st.floats(0.01, 10).map(lambda value: round(value, 3)),
        numbers,
        units,
    ),
)
parts = st.one_of(
    st.none(),
    groups,
    st.builds(Slice, columns, st.none()),
    st.builds(WorstSlice, st.one_of(st.none(), columns)),
    st.builds(Gap, columns),
)
times = st.integers(1, 10_000).map(lambda minutes: timedelta(minutes=minutes))
comparisons = st.builds(
    Comparison, names, st.sampled_from([">=", "<=", ">", "<"]), bounds, parts, st.one_of(st.none(), times)
)
periods = st.one_of(st.just("monthly"), times)
expressions = st.one_of(
    comparisons,
    st.builds(Ask, st.sampled_from(ROLES), st.one_of(st.just(""), texts)),
    st.sampled_from([Alarm("drift"), Alarm("quality")]),
    st.builds(Schedule, periods),
    st.builds(Labels, st.integers(1, 10**9)),
)


@given(expressions)
def test_printed_expression_parses_to_an_equal_one(expression):
    assert parse_expression(str(expression)) == expression


@given(
    st.one_of(
        st.text(max_size=40),
        st.text("roc_aucslice(drift)gapworst_forwindowask>=<.0123456789%*+- \"'\n=labels", max_size=40),
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
        ("worst_slice.recall > 40 %", Comparison("recall", ">", Bound(None, 1.0, 0.4), WorstSlice(None))),
        ("gap(sex).recall<=0.1", Comparison("recall", "<=", Bound(None, 1.0, 0.1), Gap("sex"))),
        ("latency_p99_ms <= 0.05s", Comparison("latency_p99_ms", "<=", Bound(None, 1.0, 0.05, "s"))),
        (
            "slice(a=x).f1 >= 0.9*slice(a=y).f1",
            Comparison("f1", ">=", Bound(Slice("a", "y"), 0.9, 0.0), Slice("a", "x")),
        ),
        (
            "roc_auc < accepted - 5% for window(30d)",
            Comparison("roc_auc", "<", Bound("accepted", 1.0, -0.05), None, timedelta(days=30)),
        ),
        ('ask(domain_expert, "Plausible?")', Ask("domain_expert", "Plausible?")),
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


def test_mistake_says_what_could_stand_there():
    with pytest.raises(CharterMistake, match=r"Expected there: >=, <=, > or <\. "):
        parse_expression("roc_auc = 1")


def test_metrics_on_both_sides_must_be_the_same():
    with pytest.raises(CharterMistake, match="f1 is compared with recall"):
        parse_expression("slice(a=x).f1 >= slice(a=y).recall")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("roc_auc >= 1e999", "1e999 is no number"),
        ("roc_auc >= -1e999", "-1e999 is no number"),
        ("roc_auc >= 1e999 * champion", "1e999 is no number"),
        ("roc_auc >= champion - 1e999", "1e999 is no number"),
        ("roc_auc >= 0.5 for window(0d)", "'0d' is no period"),
        ("roc_auc >= 0.5 for window(101y)", "'101y' is no period"),
        ("roc_auc >= 0.5 for window(99999999999d)", "too long"),
        ("schedule(0d)", "'0d' is no period"),
        ("labels >= 0", "no new label"),
        ("roc_auc >= 0.7\nroc_auc >= 0.1", "at character 16"),
    ],
)
def test_figure_that_nothing_can_be_reckoned_with_is_refused(text, says):
    with pytest.raises(CharterMistake, match=re.escape(says)) as caught:
        parse_expression(text, "accept[0]")
    assert caught.value.place == "accept[0]"
