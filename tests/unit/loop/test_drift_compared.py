"""Quality of the last windows against the version before and the same season."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vitok.loop.drift_compared import quality_compared
from vitok.loop.drift_spans import Span

START, DAY = datetime(2025, 1, 6, tzinfo=UTC), timedelta(days=1)


def windows(values, version=1, first=0, error=0.02):
    """Judged days, each with the value and the interval of its rows."""
    return [
        {
            "start": START + (first + number) * DAY,
            "end": START + (first + number + 1) * DAY,
            "version": version,
            "quality": {
                "roc_auc": {
                    "value": value,
                    "low": value - 1.645 * error,
                    "high": value + 1.645 * error,
                    "rows": 900,
                    "method": "DeLong",
                }
            },
        }
        for number, value in enumerate(values)
    ]


def drawn(rng, mean, count, between=0.02, error=0.02):
    return (mean + np.hypot(between, error) * rng.standard_normal(count)).tolist()


def days(first, last):
    return Span(START + first * DAY, START + last * DAY)


def test_a_fall_since_the_version_before_is_told_and_weekdays_are_compared_with_weekdays():
    rng = np.random.default_rng(1)
    judged = windows(drawn(rng, 0.75, 60)) + windows(drawn(rng, 0.65, 30), 2, 60)
    found = quality_compared("roc_auc", days(83, 90), 2, judged)
    before = found["previous_version"]
    assert (found["windows"], before["against"], before["windows"]) == (7, "version 1", 28)
    assert before["significant"]
    assert before["difference"]["high"] < -0.05
    assert before["difference"]["value"] == pytest.approx(-0.1, abs=0.03)
    assert found["same_season"]["against"] == "the same weekdays of the weeks before"
    assert found["same_season"]["windows"] == 28
    assert len(found["sentences"]) == 2
    assert "of version 1: -0." in found["sentences"][0]


def test_without_a_change_a_difference_is_claimed_as_seldom_as_the_interval_says():
    """Days differ by as much as their rows do: counted as one heap of rows they would differ far more often."""
    claimed, runs = 0, 300
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        judged = windows(drawn(rng, 0.7, 60)) + windows(drawn(rng, 0.7, 14), 2, 60)
        claimed += quality_compared("roc_auc", days(67, 74), 2, judged)["previous_version"]["significant"]
    assert claimed / runs < 0.14


def test_the_same_days_a_year_before_count_where_they_are_kept():
    judged = windows([0.7] * 400)
    found = quality_compared("roc_auc", days(393, 400), 1, judged)
    assert found["same_season"]["against"] == "the same days a year before"
    assert found["same_season"]["significant"] is False
    assert found["previous_version"] is None


def test_windows_without_labels_are_spoken_for_by_the_last_ones_that_have_theirs():
    judged = windows([0.7] * 20)
    late = [{**each, "quality": {}} for each in windows([0.7] * 2, first=20)]
    assert quality_compared("roc_auc", days(21, 22), 1, judged + late)["windows"] == 7
    nothing = quality_compared("roc_auc", days(0, 1), 1, [])
    assert nothing["now"] is None
    assert nothing["sentences"] == []
