"""Every metric of the charter by window and slice: limits, what it is compared with, and what differs among all."""

from datetime import timedelta

import numpy as np
import pytest

from rollouts import START, two_versions
from vitok.cli.performance import render
from vitok.errors import NotFound, UserMistake
from vitok.kernel.clock import VirtualClock
from vitok.loop.performance_table import VAIN, Wanted, performance_table
from vitok.registry import windows as remembered
from vitok.store.schema import versions as table

DAY = timedelta(days=1)
METRICS = ("roc_auc", "recall")
PARTS = ("origin=EWR", "origin=JFK", "origin=LGA")


def estimate(value, error=0.02, rows=900):
    bounds = {"low": value - 1.645 * error, "high": value + 1.645 * error}
    return {"value": value, **bounds, "rows": rows, "method": "t"}


@pytest.fixture
def project(tmp_path):
    found = two_versions(tmp_path, VirtualClock(START))
    with found.engine.begin() as connection:
        metrics = {name: estimate(0.75, 0.01) for name in METRICS}
        summary = {"slices": dict.fromkeys(PARTS[:2], metrics)}
        connection.execute(table.update().values(metrics=metrics, summary=summary))
    yield found
    found.engine.dispose()


def lived(project, values, *, seed=1, jfk=0.0, unlabelled=0):
    """Judged days of the two versions: (version, mean, days); rows of JFK differ by an amount in the last one."""
    rng, day = np.random.default_rng(seed), 0

    def measured(mean, error):
        return {name: estimate(mean + error * rng.standard_normal(), error) for name in METRICS}

    with project.engine.begin() as connection:
        for place, (version, mean, days) in enumerate(values):
            for _ in range(days):
                last = place == len(values) - 1
                slices = {
                    part: measured(mean + jfk * (last and part == "origin=JFK"), 0.03) for part in PARTS
                }
                save(connection, day, version, measured(mean, 0.02), slices)
                day += 1
        for _ in range(unlabelled):
            save(connection, day, values[-1][0], {}, {}, estimated={"roc_auc": estimate(0.7)})
            day += 1


def save(connection, day, version, quality, slices, **details):
    remembered.save_window(
        connection,
        start=START + day * DAY,
        end=START + (day + 1) * DAY,
        state="final" if quality else "maturing",
        rows=1000,
        labelled=900 if quality else 0,
        version=version,
        drift=[],
        quality=quality,
        details={"slices": slices, "estimated": {}, **details},
    )


def line_of(found, metric, part=None):
    (line,) = (each for each in found["lines"] if (each["metric"], each["slice"]) == (metric, part))
    return line


def test_a_version_that_is_worse_differs_from_its_acceptance_and_the_version_before(project):
    lived(project, [(1, 0.75, 40), (2, 0.65, 40)])
    found = performance_table(project, Wanted(metrics=METRICS))
    assert (found["version"], found["window"]["windows"]) == (2, 7)
    assert len(found["lines"]) == 2 * (1 + len(PARTS))
    for metric in METRICS:
        line = line_of(found, metric)
        assert line["accepted"]["difference"]["value"] == pytest.approx(-0.1, abs=0.03)
        assert line["previous_version"]["against"] == "version 1"
        assert line["accepted"]["differs"]
        assert line["previous_version"]["differs"]
        assert not line["same_season"]["differs"]  # the weeks before are those of the same version
        assert len(line["windows"]) == 7
        assert all(each["limit_low"] < 0.65 < each["limit_high"] for each in line["windows"])


def test_a_slice_that_falls_alone_is_seen_in_its_line_only(project):
    lived(project, [(1, 0.75, 30), (2, 0.75, 28), (2, 0.75, 7)], jfk=-0.2)
    found = performance_table(project, Wanted(metrics=("roc_auc",)))
    fallen = line_of(found, "roc_auc", "origin=JFK")
    for against in ("accepted", "previous_version", "same_season"):
        assert fallen[against]["differs"], against
        assert fallen[against]["difference"]["high"] < -0.1
        assert not line_of(found, "roc_auc", "origin=EWR")[against]["differs"]
    assert sum(each["outside"] for each in fallen["windows"]) >= 5
    assert not any(each["outside"] for each in line_of(found, "roc_auc")["windows"])
    assert line_of(found, "roc_auc", "origin=LGA")["accepted"] is None  # it was not kept of this slice
    assert render(found).count("*") == 3 + 1


def test_without_a_change_hardly_any_table_calls_a_difference(project):
    """Eight lines with three comparisons each: by their own intervals alone nearly every table would."""
    calls, alone, runs = 0, 0, 40
    for seed in range(runs):
        with project.engine.begin() as connection:
            connection.execute(remembered.windows.delete())
        lived(project, [(1, 0.75, 30), (2, 0.75, 14)], seed=seed)
        found = performance_table(project, Wanted(metrics=METRICS))
        calls += found["differences"]["differ"] > 0
        alone += any(
            line[name] and line[name]["significant"]
            for line in found["lines"]
            for name in ("accepted", "previous_version", "same_season")
        )
    assert calls / runs <= 2 * VAIN
    assert alone / runs > 2 * VAIN


def test_windows_without_labels_are_estimated_with_a_warning(project):
    lived(project, [(1, 0.75, 10)], unlabelled=2)
    found = performance_table(project, Wanted(metrics=("roc_auc",)))
    assert [each["start"][:10] for each in found["estimates"]] == ["2013-03-11", "2013-03-12"]
    assert found["estimates"][0]["calibrated"]["value"] == 0.7
    assert "blind to a change of what rows mean" in render(found)


def test_what_cannot_be_shown_is_said_with_what_there_is(project):
    with pytest.raises(NotFound, match="no window has been judged"):
        performance_table(project)
    lived(project, [(1, 0.75, 9)], unlabelled=1)
    assert performance_table(project)["lines"][0]["metric"] == "roc_auc"
    with pytest.raises(UserMistake, match="Did you mean 'roc_auc'"):
        performance_table(project, Wanted(metrics=("roc_acu",)))
    with pytest.raises(UserMistake, match="origin=JFK"):
        performance_table(project, Wanted(parts=("origin=JFC",)))
    with pytest.raises(NotFound, match="2013-03-01 to 2013-03-10"):
        performance_table(project, Wanted(start=START + 100 * DAY))
    with pytest.raises(UserMistake, match="no number of windows"):
        performance_table(project, Wanted(last=0))
    few = line_of(performance_table(project, Wanted(last=3)), "roc_auc")
    assert len(few["windows"]) == 3
    assert few["windows"][0]["limit_low"] is not None  # nine windows are enough for limits, eight are needed


def test_a_version_without_labels_yet_has_no_lines(project):
    lived(project, [(1, 0.75, 9), (2, 0.75, 0)], unlabelled=1)
    found = performance_table(project)
    assert (found["version"], found["window"], found["lines"]) == (2, None, [])
    assert "no window has labels yet" in render(found)
