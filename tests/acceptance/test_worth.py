"""What a project is worth: decisions, waiting and effort by the command line, on scikit-learn's handwritten digits."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import yaml
from sklearn.datasets import load_digits

from commands import edit, mistake_of, run_vitok
from vitok.errors import NotFound, UserMistake
from vitok.loop.effort import log_effort
from vitok.loop.roi import project_roi
from vitok.loop.turn import run_turn
from vitok.loop.waiting import value_of_waiting
from vitok.registry import efforts, turns, versions
from vitok.wire import open_project

COSTS = {"tp": 40, "fp": -10, "fn": 0, "tn": 0}
ECONOMICS = {
    "build": 150_000,
    "yearly": 30_000,
    "horizon": "3y",
    "benefit": {"per": "stop", "value": 10_000, "events_per_year": 20, "prevented": "50%"},
}
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A project that tells eights from other digits, an hour apart, after one turn."""
    folder = tmp_path_factory.mktemp("worth") / "digits"
    folder.mkdir()
    data = load_digits()
    frame = pl.DataFrame(data.data[:, 16:48], schema=[f"p{n}" for n in range(32)]).with_columns(
        eight=pl.Series(data.target == 8),
        at=pl.Series([START + timedelta(hours=n) for n in range(len(data.target))]),
    )
    frame.write_csv(folder / "digits.csv")
    assert run_vitok("init", folder, "--data", folder / "digits.csv", "--target", "eight").code == 0

    def change(charter):
        charter["train"] = {"candidates": ["linear"]}
        charter["decide"] = {"costs": COSTS}
        charter["economics"] = ECONOMICS
        charter["accept"] = ["roc_auc >= 0.7"]
        charter["experiments"] = [{"id": "E1", "what": "edges", "effect": 0.01, "effort": "6h"}]

    edit(folder, change)
    project = open_project(folder)
    result = run_turn(replace(project, tracker=None), quick=True)  # in this process: a third of the time
    project.engine.dispose()
    assert result.accepted, result.verdict.gates
    return folder


@pytest.fixture(scope="module")
def worth(digits):
    """`vitok roi` with everything."""
    page = digits / "roi.html"
    answer = run_vitok("roi", "--waiting", "--plot", page, "--project", digits)
    assert answer.code == 0, answer.err
    return answer.json, page.read_text(encoding="utf-8")


def test_reference_case_stays_exact(worth):
    found, _ = worth
    assert [year["net"] for year in found["years"]] == [-80_000, 70_000, 70_000]
    assert found["payback_years"] == 2.14


def test_profit_curve_marks_the_ways_to_decide(worth):
    decisions = worth[0]["decisions"]
    assert (decisions["version"], decisions["basis"], decisions["best_threshold"]) == (1, "accepted", 0.2)
    assert 10 < len(decisions["curve"]) <= 101
    policies = decisions["policies"]
    assert set(policies) == {"used", "best", "elkan", "flag_nobody", "flag_everybody", "perfect"}
    profit = {name: policy["profit_per_1000"] for name, policy in policies.items()}
    assert profit["used"] == decisions["profit_per_1000"]  # the rows of the verdict, read back
    assert profit["flag_nobody"]["value"] == 0
    assert profit["flag_everybody"]["value"] < 0 < profit["used"]["value"] < profit["perfect"]["value"]
    assert profit["best"]["value"] >= max(point["profit_per_1000"] for point in decisions["curve"]) - 0.01
    lost = profit["perfect"]["value"] - profit["used"]["value"]
    assert decisions["errors"]["total"]["value"] == pytest.approx(lost)
    assert decisions["errors"]["best_constant"] == "flag nobody"


def test_waiting_is_reckoned_at_the_rate_of_new_rows(worth):
    waiting = worth[0]["waiting"]
    sizes = [point["rows"] for point in waiting["curve"]]
    assert len(sizes) == 6
    assert sizes[-1] == waiting["rows_now"] == 8 * sizes[0] + sizes[-1] % 8
    assert waiting["rows_per_month"] == pytest.approx(730.5 * sizes[-1] / 1797, rel=0.01)  # one row an hour
    assert [wait["months"] for wait in waiting["months"]] == [1, 3, 6]
    for wait in waiting["months"]:
        assert 0 <= wait["gain"]["low"] <= wait["gain"]["value"] <= wait["gain"]["high"]
        assert wait["is_far"] == (wait["rows"] > 4 * waiting["rows_now"])
        assert wait["delay"]["value"] > 0
    assert "% of the draws" in waiting["advice"]["sentence"]


def test_page_of_charts_asks_no_host_for_anything(worth):
    page = worth[1]
    assert not re.findall(r"<(?:script|link)[^>]*(?:src|href)=", page)
    for title in ("What decisions of version 1", "Cash flow", "More rows"):
        assert title in page


def test_waiting_without_growth_or_version_is_refused_with_a_remedy(digits, tmp_path):
    original = (digits / "vitok.yaml").read_text(encoding="utf-8")
    changed = yaml.safe_load(original)
    for section, key, value, says in (
        ("retrain", "window", "30d", ["retrain.window", "period"]),
        ("task", "time", None, ["task", "time"]),
    ):
        charter = {**changed, section: {**changed.get(section, {}), key: value}}
        (digits / "vitok.yaml").write_text(yaml.safe_dump(charter), encoding="utf-8")
        try:
            with pytest.raises(UserMistake, match=f"{says[0]}.*{says[1]}"):
                project_roi(open_project(digits), waiting=True)
        finally:
            (digits / "vitok.yaml").write_text(original, encoding="utf-8")
    for name in ("vitok.yaml", "expectations.yaml"):
        (tmp_path / name).write_bytes((digits / name).read_bytes())
    with pytest.raises(NotFound, match=r"--waiting.*vitok run"):
        project_roi(open_project(tmp_path), waiting=True)
    mistake_of("effort", "--project", tmp_path, says=["effort", "vitok run"])


def test_curve_that_falls_is_shown_but_not_carried_on(digits, monkeypatch):
    monkeypatch.setattr("vitok.loop.waiting.falls", lambda values, covariance: 2)
    found = value_of_waiting(open_project(digits))
    assert len(found["curve"]) == 6
    assert found["advice"] is None
    assert found["months"] == []
    assert "worse with all" in found["refused"]["what"]
    assert "retrain.window" in found["refused"]["remedy"]


@pytest.mark.parametrize(
    ("hours", "how", "says"),
    [
        (0, {}, "--hours: 0 is no effort"),
        (-1, {}, "--hours: -1"),
        (float("nan"), {}, "--hours: nan"),
        (float("inf"), {}, "--hours: inf"),
        (1e9, {}, "10,000"),
        (3, {"experiment": "E9"}, "'E9' is no experiment of vitok.yaml. Known: E1"),
        (3, {"at": datetime(2999, 1, 1, tzinfo=UTC)}, "--at: 2999-01-01T00:00:00Z lies in the future"),
    ],
)
def test_effort_that_cannot_be_is_refused_and_not_written(digits, hours, how, says):
    project = open_project(digits)
    with pytest.raises(UserMistake, match=re.escape(says)):
        log_effort(project, hours, **({"experiment": None, "note": "", "at": None, "actor": "test"} | how))
    with project.engine.connect() as connection:
        assert efforts.all_efforts(connection) == []


def test_words_that_mean_nothing_are_refused_before_the_work(digits):
    mistake_of("log", "effort", "--hours", "nan", "--project", digits, says=["--hours", "nan is no effort"])
    for words, says in (
        (["--plot", "chart.pdf"], ["--plot", "chart.pdf", ".html"]),
        (["--plot", digits / "vitok.yaml" / "a.png"], ["--plot", "a.png"]),
        (["--metric", "rmse"], ["--metric", "'rmse'", "roc_auc"]),
    ):
        mistake_of("effort", *words, "--project", digits, says=says)


def test_one_verdict_gives_points_but_no_advice(digits):
    answer = run_vitok("effort", "--project", digits)
    assert answer.code == 3
    assert len(answer.json["points"]) == 1
    assert answer.json["advice"] is None
    assert "1 of the 5" in answer.json["refused"]["what"]


def test_effort_is_set_against_verdicts_and_advised_on(digits):
    """Seven verdicts before the real one, on a curve that saturates at what the real one has."""
    project = open_project(digits)
    with project.engine.connect() as connection:
        real = versions.get(connection, 1)
    goal, values = real.metrics["roc_auc"], [0.60, 0.80, 0.90, 0.95, 0.975, 0.985, 0.99]
    for day, share in enumerate(values):
        end = START + timedelta(days=day + 1)
        metrics = {"roc_auc": goal | {"value": share * goal["value"]}}
        with project.engine.begin() as connection:
            turns.begin(connection, f"t{day}", now=end, as_of=end, trigger="test", charter="")
            version = versions.register(
                connection, digest=f"{day}" * 64, created=end, turn=f"t{day}", verdict="refused",
                gates=[], metrics=metrics, summary={},
            )  # fmt: skip
            turns.advance(
                connection,
                f"t{day}",
                state="refused",
                ended=end,
                version=version.number,
                seconds={"data": 3600.0},
            )
        log_effort(project, 9.0, experiment=None, note="", at=end - timedelta(hours=1), actor="test")
    words = ["--hours", "6", "--experiment", "E1", "--note", "edges", "--project", digits]
    logged = run_vitok("log", "effort", *words, "--at", "2024-02-01")
    assert (logged.json["hours"], logged.json["total_hours"]) == (6, 69)
    found = run_vitok("effort", "--plot", digits / "effort.png", "--project", digits)
    assert found.code == 0, found.err
    points = found.json["points"]
    assert [round(point["effort"], 2) for point in points[:3]] == [
        10,
        20,
        30,
    ]  # nine of a person, one of a machine
    assert points[-1]["hours"] == 69
    assert points[-1]["best"] == goal["value"]
    assert found.json["shapes"][0]["shape"] == "exponential decay"
    assert found.json["advice"]["recommendation"] == "stop"
    assert found.json["advice"]["sentence"].startswith("Stop: ")
    assert (digits / "effort.png").read_bytes().startswith(b"\x89PNG")
    assert run_vitok("audit", "verify", "--project", digits).code == 0  # the log is whole
