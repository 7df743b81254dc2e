"""A/B tests by the command line: planned from figures and from the journal, and read while they run."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from commands import edit, mistake_of, run_vitok
from vitok.journal.frames import OUTCOMES, PREDICTIONS, conform
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import system_clock
from vitok.loop.abread import read_ab
from vitok.registry import releases, rollouts
from vitok.wire import open_project

COSTS = {"tp": 10, "fp": -5, "fn": -20, "tn": 0}
UNITS = 6000
GIVEN = ("--base", "3.2%", "--effect", "0.5%", "--traffic", "4000", "--delay", "1d")


def two_weeks(charter):
    """14 days, 50/50, stop on a drop of conversions by more than 15 % or more than 500 ms."""
    charter["release"] = {
        "strategy": "ab",
        "ab": {"share": "50%", "horizon": "14d", "primary": "conversion", "effect": 0.005},
        "guard": {"errors": None, "latency": None, "conversion": "15%", "latency_p95": "500ms"},
        "alpha": 0.05,
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory, drafted_once):
    """A project without any prediction, with the limits of a usual A/B test."""
    folder = tmp_path_factory.mktemp("shop") / "shop"
    shutil.copytree(drafted_once, folder)
    edit(folder, two_weeks)
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory, released_once):
    """A project whose second version is compared with the first; nothing has been asked yet."""
    folder = tmp_path_factory.mktemp("begun") / "cancer"
    shutil.copytree(released_once, folder)

    def change(charter):
        charter["decide"] = {"costs": COSTS}
        charter["release"] = {"ab": {"effect": 0.02, "horizon": "14d"}, "guard": {"latency": None}}

    edit(folder, change)
    assert run_vitok("run", "--quick", "--project", folder).code == 0
    assert run_vitok("release", 2, "--strategy", "ab", "--project", folder).code == 0
    return folder


@pytest.fixture(scope="module")
def tested(tmp_path_factory, begun):
    """The same after many answers: the new version is right more often."""
    folder = tmp_path_factory.mktemp("tested") / "cancer"
    shutil.copytree(begun, folder)
    record(folder)
    return folder


def record(folder, new=0.9, units=UNITS, seed=1):
    """Puts answers of both versions and their outcomes into the journal: 80 % right, and by default 90 %."""
    project, rng = open_project(folder), np.random.default_rng(seed)
    with project.engine.connect() as connection:
        rollout, release = rollouts.current(connection), releases.current(connection)
    assert rollout is not None
    assert release is not None
    is_new = rng.random(units) < 0.5
    is_bad = rng.random(units) < 0.4
    is_right = rng.random(units) < np.where(is_new, new, 0.8)
    names = np.array(["benign", "malignant"])
    times = [rollout.started + timedelta(microseconds=10 * n) for n in range(units)]
    ids = [f"unit-{n}" for n in range(units)]
    predictions = pl.DataFrame(
        {
            "id": ids,
            "time": times,
            "worker": ["one"] * units,
            "seq": range(units),
            "version": np.where(is_new, 2, 1),
            "role": np.where(is_new, "variant", "champion"),
            "epoch": [release.epoch] * units,
            "score": np.full(units, 0.5),
            "decision": names[(is_bad == is_right).astype(int)],
            "micros": np.full(units, 300),
        }
    )
    outcomes = pl.DataFrame(
        {"id": ids, "time": times, "value": [f'"{name}"' for name in names[is_bad.astype(int)]]}
    )
    project.lake.append("predictions", conform(predictions, PREDICTIONS))
    project.lake.append("outcomes", conform(outcomes, OUTCOMES))
    project.engine.dispose()


def test_two_weeks_half_and_half_with_limits_on_conversion_and_latency(shop):
    answer = run_vitok("ab", "plan", *GIVEN, "--project", shop)
    assert answer.code == 0, answer.err
    plan = answer.json
    assert (plan["horizon_days"], plan["share"], plan["reading"]) == (14, 0.5, "always")
    once = plan["designs"]["horizon"]
    assert (
        once["champion"] == once["challenger"] == 20_915
    )  # the z-test of 3.2 % against 3.7 %, two-sided 5 %, 80 %
    assert once["days"] == pytest.approx(2 * 20_915 / 4000 + 1)
    assert 1.9 < plan["designs"]["always"]["inflation"] < 2.4
    assert 1.0 < plan["designs"]["looks"]["inflation"] < 1.1
    rules = {rule["name"]: rule for rule in plan["stop_rules"]}
    assert rules["conversion"]["limit"] == "15%"
    assert rules["latency_p95"]["limit"] == "500ms"
    assert rules["conversion"]["alpha"] == rules["latency_p95"]["alpha"] == 0.025
    assert not plan["fits"]
    assert 0.006 < plan["smallest_effect"] < 0.007
    assert any("0.666 percentage points" in text for text in plan["warnings"])


def test_plan_is_told_in_words(shop):
    out = run_vitok("ab", "plan", *GIVEN, "--project", shop, as_json=False).out
    for words in (
        "Primary metric: conversion, the share of units with the positive outcome.",
        "Worth acting on from 0.5 percentage points (15.6% of the champion's), either way.",
        "does NOT fit into the horizon of 14 days",
        "conversion 15%: Back to the champion as soon as",
        "latency_p95 500ms: Back to the champion as soon as",
        "Shown beside it, deciding nothing: quality (share of right decisions)",
        "In whole weeks it takes 28 days.",
    ):
        assert words in out, words


def test_charter_of_two_weeks_has_no_error(shop):
    answer = run_vitok("check", "--no-data", "--project", shop)
    assert answer.code == 0
    assert not [each for each in answer.json["problems"] if each["severity"] == "error"]


def test_larger_effect_read_at_the_end_fits(shop):
    answer = run_vitok("ab", "plan", *GIVEN, "--reading", "horizon", "--project", shop)
    assert answer.json["fits"]
    assert answer.json["days"] < 14
    assert not answer.json["warnings"]


def test_part_of_a_week_and_a_long_delay_are_told(shop):
    words = ("--base", "20%", "--effect", "1.2x", "--traffic", "4000", "--horizon", "10d", "--delay", "4d")
    told = " ".join(run_vitok("ab", "plan", *words, "--project", shop).json["warnings"])
    assert "10 days are not whole weeks" in told
    assert "units count on 6 of 10 days only" in told
    late = run_vitok("ab", "plan", *words[:-1], "20d", "--project", shop).json
    assert late["smallest_effect"] is None
    assert "not one is due in time" in " ".join(late["warnings"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), ("--base", "no version is in production", "--base 3.2%")),
        (("--base", "3.2"), ("--base", "3.2 is no rate")),
        (("--base", "3.2%"), ("--traffic", "the journal has no units")),
        ((*GIVEN, "--effect", "98%"), ("no rate below 100 %",)),
        ((*GIVEN, "--effect", "much"), ("--effect", "'much' is no number")),
        ((*GIVEN, "--share", "100%"), ("share, alpha and power",)),
        ((*GIVEN, "--power", "1%"), ("power is above alpha",)),
        ((*GIVEN, "--horizon", "two weeks"), ("--horizon", "is no duration")),
        ((*GIVEN, "--reading", "sometimes"), ("--reading", "Write always, looks or horizon")),
        ((*GIVEN, "--traffic", "0"), ("--traffic", "above 0")),
        ((*GIVEN, "--metric", "profit"), ("--deviation", "is needed for money")),
        (("--metric", "clicks", "--traffic", "10"), ("--base", "is needed for 'clicks'")),
    ],
)
def test_wrong_figures_are_told_in_one_line(shop, words, says):
    mistake_of("ab", "plan", *words, "--project", shop, says=says)


def test_plan_takes_what_the_journal_knows(tested):
    plan = run_vitok("ab", "plan", "--project", tested).json
    assert plan["primary"]["base"] == pytest.approx(0.8, abs=0.02)
    assert plan["traffic"] == UNITS  # all of them within a day
    assert plan["sources"]["base"].startswith("journal: ")
    money = run_vitok("ab", "plan", "--metric", "profit", "--effect", "0.5", "--project", tested).json
    assert money["primary"]["deviation"] > 0


def test_better_version_is_read_with_effect_money_and_picture(tested, tmp_path):
    picture = tmp_path / "ab.png"
    answer = run_vitok("ab", "read", "--plot", picture, "--project", tested)
    assert answer.code == 0, answer.err
    found = answer.json
    assert (found["rollout"], found["version"], found["champion"]) == (1, 2, 1)
    assert found["decision"] == "better"
    assert found["difference"]["low"] < 0.1 < found["difference"]["high"]
    assert found["difference"]["low"] > 0.02
    assert sum(found["units"].values()) == UNITS
    assert found["split"]["state"] == "kept"
    assert [guard["guard"] for guard in found["guards"]] == ["errors"]
    each, year = found["money"]["per_decision"], found["money"]["per_year"]
    assert each["low"] < each["value"] < each["high"]
    assert year["value"] == pytest.approx(each["value"] * found["money"]["decisions_per_year"])
    assert 100 < len(found["sequence"]) <= 200
    widths = [point["high"] - point["low"] for point in found["sequence"]]
    assert widths[-1] < widths[0]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_reading_is_told_in_words(tested):
    out = run_vitok("ab", "read", 1, "--project", tested, as_json=False).out
    assert "BETTER" in out
    assert "Version 2 is better than version 1 by more than the 0.02 that is worth acting on" in out
    assert "Units are split as planned." in out
    assert "decisions a year" in out


def in_days(folder, days=0.0):
    """What the test says so many days from now."""
    project = open_project(folder, clock=lambda: system_clock() + timedelta(days=days))
    found = read_ab(project, Ledger(project.lake))
    project.engine.dispose()
    return found


def test_nothing_is_known_before_the_first_outcome(begun, tmp_path):
    picture = tmp_path / "ab.html"
    found = run_vitok("ab", "read", "--plot", picture, "--project", begun).json
    assert (found["decision"], found["difference"], found["money"], found["sequence"]) == (
        "open",
        None,
        None,
        [],
    )
    assert found["sentence"].startswith("Nothing is known yet")
    assert "Nothing to compare yet" in picture.read_text(encoding="utf-8")


def test_versions_that_hardly_differ_and_worse_ones_are_told(begun, tmp_path):
    same = Path(shutil.copytree(begun, tmp_path / "same"))
    record(same, new=0.8, units=40_000)
    found = in_days(same)
    assert found["decision"] == "no difference worth acting on"
    assert "do not differ by 0.02 or more" in found["sentence"]
    worse = Path(shutil.copytree(begun, tmp_path / "worse"))
    record(worse, new=0.7)
    found = in_days(worse)
    assert found["decision"] == "worse"
    assert found["money"]["per_year"]["high"] < 0


def test_test_that_is_read_at_its_end_decides_nothing_before(begun, tmp_path):
    folder = Path(shutil.copytree(begun, tmp_path / "cancer"))
    edit(folder, lambda charter: charter["release"]["ab"].update(reading="horizon"))
    assert run_vitok("rollback", "--project", folder).code == 0
    assert run_vitok("release", 2, "--strategy", "ab", "--project", folder).code == 0
    record(folder)
    early, late = in_days(folder), in_days(folder, days=14.1)
    assert (early["decision"], late["decision"]) == ("too early", "better")
    assert "read at its end, in 14.0 days" in early["sentence"]
    widths = [found["difference"]["high"] - found["difference"]["low"] for found in (early, late)]
    assert widths[1] < widths[0]  # one test at the end is sharper


def test_readings_that_cannot_be_are_told_in_one_line(shop, tested):
    mistake_of("ab", "read", "--project", shop, says=("no A/B test has been started",))
    mistake_of("ab", "read", 7, "--project", tested, says=("roll-out 7", "is not known"))
    mistake_of("ab", "read", "--plot", "chart.gif", "--project", tested, says=("--plot",))
    mistake_of("ab", "read", "first", "--project", tested, says=("command line",))
    mistake_of("ab", "--project", tested)
