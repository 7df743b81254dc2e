from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from vitok.charter.values import Budget, Duration, Multiple, Share


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
    ],
)
def test_value_without_its_unit_is_refused_with_an_example(kind, wrong):
    with pytest.raises(ValidationError, match="write a"):
        TypeAdapter(kind).validate_python(wrong)
