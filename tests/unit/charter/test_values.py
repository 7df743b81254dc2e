import re
from datetime import date, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from vitok.charter.values import Budget, Duration, Figure, Moment, Multiple, Period, Share


@pytest.mark.parametrize(
    ("kind", "text", "value", "back"),
    [
        (Share, "20%", 0.2, "20%"),
        (Share, 0.5, 0.5, "50%"),
        (Share, 0, 0.0, "0%"),
        (Multiple, "1.5x", 1.5, "1.5x"),
        (Duration, "90 min", timedelta(minutes=90), "90m"),
        (Duration, "250ms", timedelta(milliseconds=250), "250ms"),
        (Budget, "4 per 30d", (4, timedelta(days=30)), "4 per 30d"),
        (Period, "30d", timedelta(days=30), "30d"),
        (Moment, "2026-03-31", date(2026, 3, 31), "2026-03-31"),
        (Figure, [100, 150, 220], (100.0, 150.0, 220.0), [100.0, 150.0, 220.0]),
        (Figure, 5, 5.0, 5.0),
    ],
)
def test_value_reads_and_prints_its_unit(kind, text, value, back):
    adapter = TypeAdapter(kind)
    assert adapter.validate_python(text) == value
    assert adapter.dump_python(value) == back


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Share, "120%"),
        (Share, -0.1),
        (Share, True),
        (Share, "half"),
        (Multiple, 1.5),
        (Multiple, "-1x"),
        (Duration, "4"),
        (Duration, "-4h"),
        (Duration, "9999999999y"),
        (Duration, None),
        (Budget, "4"),
        (Budget, "4 per week"),
        (Budget, "x per 3d"),
        (Budget, 4),
        (Budget, "4 per 0d"),
        (Duration, "101y"),
        (Period, "0d"),
        (Moment, "101y"),
        (Moment, "1969-12-31"),
        (Moment, "2201-01-01"),
        (Figure, -5),
        (Figure, 1e16),
        (Figure, [-1, 5]),
        (Figure, [5, 1]),
    ],
)
def test_value_without_its_unit_is_refused_with_an_example(kind, wrong):
    with pytest.raises(ValidationError, match="write a"):
        TypeAdapter(kind).validate_python(wrong)


def test_a_date_and_a_century_still_are_a_date():
    adapter = TypeAdapter(Moment)
    assert adapter.validate_python("2200-12-31") + adapter.validate_python("100y") < date.max


@pytest.mark.parametrize(
    ("kind", "fits", "misses"),
    [
        (Share, ["20%", "12.5 %", "100%"], ["20 percent", "much", "140%"]),
        (Duration, ["4h", "90 min", "1.5d"], ["4 hours", "h"]),
        (Moment, ["2026-03-31", "30d"], ["soon", "31.3.2026"]),
        (Budget, ["4 per 30d"], ["4", "4 per week"]),
        (Multiple, ["1.5x"], ["1.5"]),
    ],
)
def test_schema_tells_an_editor_which_texts_fit(kind, fits, misses):
    pattern = re.compile(TypeAdapter(kind).json_schema()["pattern"])
    assert all(pattern.search(text) for text in fits)
    assert not any(pattern.search(text) for text in misses)
