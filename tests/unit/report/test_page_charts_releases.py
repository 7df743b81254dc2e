"""The pictures of a roll-out's page as specifications: plain values, and colours that the sheet names."""

import json

from vitok.report.page_charts_releases import evidence_chart, shares_chart

STEPS = [
    {"time": "2013-04-01T00:00:00Z", "share": 0.1},
    {"time": "2013-04-02T00:00:00Z", "share": 0.5},
]
PATH = [
    {"time": "2013-04-01T12:00:00Z", "guard": "errors", "evidence": 1.0, "boundary": 4.0},
    {"time": "2013-04-02T00:00:00Z", "guard": "errors", "evidence": None, "boundary": 4.0},
    {"time": "2013-04-02T00:00:00Z", "guard": "latency p99", "evidence": -2.0, "boundary": 4.0},
]
END = "2013-04-03T00:00:00Z"


def test_shares_of_both_versions_add_up_and_last_until_the_end() -> None:
    spec = shares_chart(STEPS, END, "version 2", "version 1")
    assert spec is not None
    rows = spec["layer"][0]["data"]["values"]
    assert [row["share"] for row in rows if row["name"] == "version 2"] == [0.1, 0.5, 0.5]
    assert [row["share"] for row in rows if row["name"] == "version 1"] == [0.9, 0.5, 0.5]
    assert rows[-1]["time"] == END


def test_evidence_is_a_share_of_its_boundary_within_the_picture() -> None:
    spec = evidence_chart(PATH, STEPS[0]["time"], END)
    assert spec is not None
    line = spec["layer"][1]
    assert [row["sure"] for row in line["data"]["values"]] == [0.25, 1.1, 0.0]
    assert line["encoding"]["color"]["scale"]["domain"] == ["errors", "latency p99"]
    assert line["encoding"]["x"]["scale"]["domain"] == [STEPS[0]["time"], END]


def test_colours_are_those_of_the_sheet_and_nothing_is_no_picture() -> None:
    text = json.dumps(evidence_chart(PATH, STEPS[0]["time"], END), allow_nan=False)
    assert '"var(--bad)"' in text
    assert "#" not in text
    assert evidence_chart([], STEPS[0]["time"], END) is None
    assert shares_chart([], END, "a", "b") is None
