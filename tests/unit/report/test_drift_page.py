"""Pictures and the page of drift: what they show, that they stay small, and that names do no harm."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
import vl_convert

from vitok.report.drift_charts import absence_chart, feature_chart, overview_chart
from vitok.report.drift_marks import plain, runs
from vitok.report.drift_page import drift_page
from vitok.report.drift_quality_charts import quality_chart, segments_chart

START = datetime(2026, 1, 5, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>\n\x07{{ 7*7 }} url(#a) ' + "long" * 30
LABELS = ["above", "20 to 40", "0 to 20", HOSTILE, "missing"]


def moments(count, length=timedelta(days=3)):
    return [
        {
            "start": (START + place * length).isoformat().replace("+00:00", "Z"),
            "end": (START + (place + 1) * length).isoformat().replace("+00:00", "Z"),
        }
        for place in range(count)
    ]


def feature(count):
    shares = [
        [0.0, 0.5 - 0.4 * (place % 7) / 7, 0.3, 0.2 + 0.4 * (place % 7) / 7, 0.0] for place in range(count)
    ]
    return {
        "labels": LABELS,
        "then": [0.0, 0.5, 0.3, 0.2, 0.0],
        "now": shares[-1],
        "shares": [None if place == 1 else each for place, each in enumerate(shares)],
        "psi": [None if place == 1 else 0.1 * (place % 5) for place in range(count)],
        "missing": [0.3 * (place % 3) for place in range(count)],
        "unseen": [None] * count,
        "moved": [place % 4 for place in range(count)],
    }


def figure(value):
    return {"value": value, "low": value / 2, "high": value * 2}


def line(name):
    distances = {name: figure(0.2) for name in ("psi", "ks", "js", "kl", "hellinger", "wasserstein")}
    return {
        "feature": name,
        "importance": None,
        "weight": None,
        **distances,
        "chi_square_p": 0.01,
        "missing_then": 0.0,
        "missing_now": 0.3,
        "unseen_now": 0.0,
        "usual": None,
        "beyond_usual": None,
        "status": "moved",
        "moved": True,
        "sentence": f"{name}: moved.",
        "since": "2026-01-08T00:00:00Z",
        "moved_windows": 3,
        "judged_windows": 5,
    }


def payload(count=20, names=("score", HOSTILE)):
    columns = moments(count)
    points = [{**each, **figure(0.7), "rows": 100} for each in columns]
    alert = {"kind": "drift", "severity": "alarm", "sentence": HOSTILE, "resolved": None}
    return {
        "project": HOSTILE,
        "window": {**columns[-1], "windows": 1, "rows": 100, "version": 2, "slice": None},
        "against": {"what": "reference", "rows": 2000, "spans": [], "recounted": []},
        "effect": 0.2,
        "columns": 5,
        "moved": [f"{HOSTILE}: moved."],
        "ranking": [line(name) for name in names],
        "notes": [HOSTILE],
        "quality_against": {"sentences": [HOSTILE]},
        "history": {
            "columns": columns,
            "column_length": "3d",
            "then": "reference",
            "features": {name: feature(count) for name in names},
            "quality": {
                "metric": "roc_auc",
                "accepted": 0.75,
                "points": points[: count // 2],
                "estimated": points,
                "limits": [{**each, "low": 0.6, "high": 0.8} for each in columns],
                "limits_from": "Control limits from here to there.",
            },
            "segments": {
                "metric": "roc_auc",
                "accepted": 0.75,
                "cells": [{"segment": HOSTILE, **each} for each in points],
                "why": None,
            },
            "releases": [{"time": columns[count // 2]["start"], "version": 2}],
            "alerts": [{**alert, "time": columns[-1]["start"], "opened": columns[-1]["start"]}],
        },
    }


@pytest.fixture(scope="module")
def page():
    return drift_page(payload(), vl_convert.vegalite_to_svg)


def test_the_page_asks_no_host_and_runs_nothing(page):
    assert set(re.findall(r"https?://[^\"' )<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "<script" not in page
    assert "<link" not in page
    assert re.search(r"\son\w+=", page) is None


def test_hostile_names_are_shown_and_do_nothing(page):
    assert html.escape('<script>alert("x")</script>', quote=False) in page.replace("&#34;", '"')
    assert "{{ 7*7 }}" in page
    assert "\x07" not in re.sub(r"<(h1|h3|title|li|p|td)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)


def test_pictures_on_one_page_have_names_of_their_own(page):
    names = re.findall(r'\bid="([^"]+)"', page)
    assert names
    assert len(names) == len(set(names))
    assert set(re.findall(r"""fill="url\(#([^)"]+)\)""", page)) <= set(names)


def test_a_year_of_columns_stays_small():
    names = ("score", *(f"feature {number}" for number in range(6)))
    big = drift_page(payload(120, names), vl_convert.vegalite_to_svg)
    assert len(big) < 2_000_000
    assert big.count("<figure>") == 10


def test_cells_say_whether_there_are_more_or_fewer_rows_than_then():
    spec = feature_chart("score", payload())
    values = [each for each in _values(spec) if "ratio" in each]
    assert {each["ratio"] for each in values if each["label"] == "0 to 20"} == {0.0}
    assert min(each["ratio"] for each in values if each["label"] == "20 to 40") < -1
    assert not [each for each in values if each["label"] in ("above", "missing")]  # never any
    moved = [each for each in _values(spec) if each.get("moved")]
    assert moved


def test_there_is_no_picture_of_what_nobody_measured():
    history = payload()["history"]
    assert absence_chart("unseen", history) is None
    history["quality"] |= {"points": [], "estimated": []}
    history["segments"]["cells"] = []
    assert quality_chart(history) is None
    assert segments_chart(history) is None
    assert "No window has been measured yet" in drift_page(
        {**payload(), "history": {**history, "segments": {**history["segments"], "why": "None kept."}}},
        vl_convert.vegalite_to_svg,
    )


@pytest.mark.parametrize("count", [1, 2, 120])
def test_the_overview_is_drawn_of_any_number_of_columns(count):
    found = payload(count)
    if count == 1:
        found["history"]["quality"]["limits"] = []
    assert vl_convert.vegalite_to_png(overview_chart(found))[:4] == b"\x89PNG"
    assert vl_convert.vegalite_to_svg(quality_chart(found["history"]))


def test_a_worse_segment_is_orange_also_where_less_is_better():
    history = payload()["history"]
    history["segments"]["metric"] = "log_loss"
    (colours,) = re.findall(r"'range': (\['#[^]]+\])", str(segments_chart(history)))
    assert colours.startswith("['#0b5394'")


def test_names_are_made_plain():
    assert plain("a\nb\x00c") == "a b�c"
    assert len(plain("x" * 500)) == 40
    assert runs([1.0, 1.0, None, 1.0]) == [(0, 1, 1.0), (3, 3, 1.0)]


def _values(spec):
    """The rows of all data sets."""
    return [row for rows in spec["datasets"].values() for row in rows]
