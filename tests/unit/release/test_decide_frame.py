"""Decisions by columns are those by rows."""

from datetime import UTC, datetime
from operator import itemgetter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitok.charter.predicates import AllOf, AnyOf, Compare, IsIn, IsNull, Not, compile_condition
from vitok.kernel.clock import format_time
from vitok.release.decide import Decider
from vitok.release.decide_frame import decide_frame, expression, rows_that_fit
from vitok.release.policy import Answer, Holdout, Limit, Policy, Rule
from vitok.stats.outliers import Strangeness

NAMES = ["size", "name", "flag", "at", "gone"]
OPERATORS = ["=", "!=", "<", "<=", ">", ">="]
MOMENT = st.sampled_from([datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 3, 1, 6, 0, 0, 250, tzinfo=UTC)])
ROW = st.fixed_dictionaries(
    {
        "size": st.none() | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]),
        "name": st.none() | st.sampled_from(["", "UA", "AA", "2013-03-01T00:00:00Z"]),
        "flag": st.none() | st.booleans(),
        "at": st.none() | MOMENT,
    }
)
VALUES = st.sampled_from([-1, 0, 1, 2, 0.5, True, False, "UA", "", "2013-03-01T00:00:00Z", "2013-03-01T06"])


def conditions(names):
    column = st.sampled_from(names)
    leaf = (
        st.builds(Compare, column, st.sampled_from(OPERATORS), VALUES)
        | st.builds(IsIn, column, st.lists(VALUES, min_size=1, max_size=3).map(tuple))
        | st.builds(IsNull, column)
    )
    return st.recursive(
        leaf,
        lambda inner: (
            st.builds(Not, inner)
            | st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple))
            | st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple))
        ),
        max_leaves=5,
    )


ANSWERS = st.builds(Answer, st.just(True)) | st.builds(Answer, st.just(False), st.booleans())
RULES = {
    kind: st.lists(st.builds(Rule, st.text("abc", min_size=1), conditions(names), ANSWERS), max_size=2).map(
        tuple
    )
    for kind, names in {"early": NAMES, "late": [*NAMES, "score", "decision"]}.items()
}
LIMITS = st.none() | st.builds(Limit, st.sampled_from([0.05, 0.1, 1, 2]), ANSWERS)
KEPT = ANSWERS.filter(lambda answer: not answer.hand_over)
HOLDOUTS = st.none() | st.builds(Holdout, st.sampled_from([0.05, 0.3, 0.5]), KEPT, st.sampled_from("ab"))
POLICIES = st.builds(
    Policy,
    RULES["early"],
    RULES["early"],
    RULES["late"],
    unsure=LIMITS,
    outlier=LIMITS,
    holdout=HOLDOUTS,
)
UNITS = st.text(max_size=3)


def frame_of(rows):
    kinds = {
        "size": pl.Float64,
        "name": pl.String,
        "flag": pl.Boolean,
        "at": pl.Datetime("us", "UTC"),
    }
    return pl.DataFrame(rows, schema=kinds, orient="row")


def as_request(row):
    """The row as the server has it: times are texts."""
    return row | {"at": None if row["at"] is None else format_time(row["at"])}


def reader(name):
    return lambda row: row.get(name)


@settings(max_examples=400)
@given(conditions(NAMES), st.lists(ROW, min_size=1, max_size=4))
def test_condition_on_columns_is_the_condition_on_each_row(condition, rows):
    test = compile_condition(condition, reader)
    frame = frame_of(rows).with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    requests = [row | {"at": at} for row, at in zip(rows, frame["at"], strict=True)]
    found = frame.with_columns(found=expression(condition, frame.schema))["found"].to_list()
    assert found == [test(row) for row in requests]


@settings(max_examples=400)
@given(
    POLICIES,
    st.lists(
        st.tuples(
            ROW, st.sampled_from([0.0, 0.45, 0.5, 0.52, 1.0]), st.sampled_from([0.0, 0.05, 0.99, 1.0]), UNITS
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_decisions_on_columns_are_those_on_each_row(policy, cases):
    rows, scores, odd, units = zip(*cases, strict=True)
    own = [score >= 0.5 for score in scores]
    strange = Strangeness(np.array(odd), ["size"] * len(odd))
    expected = Decider(policy, reader, 0.5, None).decide(
        [as_request(row) for row in rows], scores, own, strange, units
    )
    found = decide_frame(policy, frame_of(rows), np.array(scores), pl.Series(own), 0.5, strange, units)
    values = [
        own[place] if code < 0 else found.given[code].value
        for place, code in enumerate(found.answer.tolist())
    ]
    decided = list(zip(values, found.action, found.reason, strict=True))
    assert decided == [tuple(each) for each in expected]


@pytest.mark.parametrize("limit", [0.05, 0.2])
def test_several_classes_are_unsure_alike(limit):
    policy = Policy(unsure=Limit(limit, Answer(hand_over=True)))
    scores = np.array([[0.45, 0.4, 0.15], [0.8, 0.1, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    own = scores.argmax(axis=1).tolist()
    expected = Decider(policy, itemgetter, None, None).decide([{}] * 3, scores.tolist(), own, None, "abc")
    found = decide_frame(policy, pl.DataFrame({"a": [1, 2, 3]}), scores, pl.Series(own), None, None, "abc")
    assert found.action.to_list() == [each.action for each in expected]
    assert found.reason.to_list() == [each.reason for each in expected]


def test_all_of_nothing_holds_on_each_row_and_any_of_nothing_on_none():
    frame = pl.DataFrame({"a": [1, None]})
    assert rows_that_fit(frame, AllOf(())).tolist() == [True, True]
    assert rows_that_fit(frame, AnyOf(())).tolist() == [False, False]
