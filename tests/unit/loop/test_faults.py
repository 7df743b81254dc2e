from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from vitok.charter.load import load_charter
from vitok.errors import UserMistake
from vitok.loop.faults import apply_faults, parse_fault

CHARTER = load_charter(
    "project: p\ngoal: {statement: s}\ntask: {type: binary, target: late, time: at, id: key}\n"
    "data: {sources: {t: t.csv}}\naccept: [roc_auc > 0.5]\n"
).charter
START = datetime(2020, 1, 1, tzinfo=UTC)
ROWS = pl.DataFrame(
    {
        "at": [START + timedelta(days=day) for day in range(4)],
        "key": list("abcd"),
        "temp": [1.0, 2.0, 3.0, 4.0],
        "count": [1, 2, 3, 4],
        "kind": ["x", "y", "x", "y"],
        "late": [True, False, True, False],
    }
)


def broken(text):
    return apply_faults(ROWS, CHARTER, [parse_fault(text, CHARTER, ROWS.columns)])


@pytest.mark.parametrize(
    ("text", "column", "values"),
    [
        ("missing(temp)@2020-01-03", "temp", [1.0, 2.0, None, None]),
        ("scale(temp,1000)@2020-01-03", "temp", [1.0, 2.0, 3000.0, 4000.0]),
        ("scale(count, 2)@2020-01-04", "count", [1, 2, 3, 8]),
        ("value(kind,new)@2020-01-02", "kind", ["x", "new", "new", "new"]),
        ("no_labels@2020-01-02T12:00:00Z", "late", [True, False, None, None]),
        ("missing(kind)@2030-01-01", "kind", ["x", "y", "x", "y"]),
    ],
)
def test_fault_hits_from_its_moment_on_and_nothing_else(text, column, values):
    frame = broken(text)
    assert frame[column].to_list() == values
    assert frame.drop(column).equals(ROWS.drop(column))
    assert frame.schema == ROWS.schema


@pytest.mark.parametrize(
    "text",
    [
        "",
        "drought",
        "drought@2020-01-01",
        "missing@2020-01-01",
        "missing(temp)",
        "missing(temp)@soon",
        "missing(ghost)@2020-01-01",
        "missing(late)@2020-01-01",
        "scale(temp)@2020-01-01",
        "scale(temp,much)@2020-01-01",
        "scale(kind,2)@2020-01-01",
        "value(temp,x)@2020-01-01",
        "no_labels(x)@2020-01-01",
        "scale(temp,inf)@2020-01-01",
        "scale(count,nan)@2020-01-01",
    ],
)
def test_fault_that_makes_no_sense_is_refused(text):
    with pytest.raises(UserMistake, match="--inject"):
        broken(text)
