"""Pages of releases and of A/B tests: readable without statistics, with no, one or many points."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import vl_convert

from vitok.report.release_chart import comparison_chart, release_chart

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
LONG = "latency of the slowest hundredth of all requests that came in from the far end of the earth"


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


SHARES = [(hours(0), 0.05, "version 3"), (hours(2), 0.5, "version 3"), (hours(6), 0.0, "version 3")]
EVENTS = [
    (hours(0), "stepping", "begins: 5%"),
    (hours(2), "holding", "412 units answered, no limit broken: 50%"),
    (hours(6), "rolled back", "errors broken: 3.21% of units against 1.02%, ratio between 1.12 and 5.40" * 2),
]


def page(**changes: Any) -> dict[str, Any]:
    evidence = [(hours(part / 10), "errors", part / 60 * 4.4, 4.4) for part in range(61)]
    values: dict[str, Any] = {"shares": SHARES, "evidence": evidence, "events": EVENTS}
    return release_chart("Release of version 3", **(values | changes))


def rows_with(spec: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """All rows of data in a specification that have a field."""
    return [row for rows in spec["datasets"].values() for row in rows if field in row]


def test_evidence_is_told_in_words_and_scaled_by_its_boundary():
    spec = page()
    axis = json.dumps(spec)
    for words in ("no sign", "faint", "strong", "certain: roll back"):
        assert words in axis
    sure = [row["sure"] for row in rows_with(spec, "sure") if "name" in row]
    assert (min(sure), max(sure)) == (0.0, 1.0)


def test_two_guards_with_different_boundaries_share_one_scale():
    spec = page(evidence=[(hours(1), "errors", 2.2, 4.4), (hours(1), "quality", 3.0, 6.0)])
    assert {row["sure"] for row in rows_with(spec, "sure") if "name" in row} == {0.5}


def test_evidence_beyond_certain_and_below_nothing_stays_on_the_page():
    spec = page(evidence=[(hours(1), "errors", -3.0, 4.4), (hours(2), "errors", 80.0, 4.4)])
    assert [row["sure"] for row in rows_with(spec, "sure") if "name" in row] == [0.0, pytest.approx(1.1)]


def test_share_holds_to_the_end_of_the_page():
    shares = rows_with(page(), "share")
    assert [row["share"] for row in shares] == [0.05, 0.5, 0.0, 0.0]
    assert shares[-1]["time"] > "2026-03-01T15:00:00Z"


def test_reasons_are_listed_in_full_over_several_lines():
    reasons = [row["reason"] for row in rows_with(page(), "reason")]
    assert " ".join(reasons[2:]) == EVENTS[2][2]
    assert max(map(len, reasons)) <= 74


def test_events_close_to_each_other_share_one_number():
    events = [(hours(0), "planned", ""), (hours(0.01), "stepping", "begins"), (hours(6), "promoted", "good")]
    numbers = [row["number"] for row in rows_with(page(events=events), "number") if "reason" not in row]
    assert numbers == ["1-2", "3"]


def test_of_many_events_the_first_and_the_last_are_listed():
    events = [(hours(number / 10), "stepping", f"because {number}") for number in range(60)]
    rows = rows_with(page(events=events), "reason")
    assert [row["number"] for row in rows] == [*map(str, range(1, 7)), *map(str, range(55, 61)), ""]
    assert rows[-1]["reason"] == "(48 events between are left out)"


def test_many_points_become_few_and_keep_the_highest():
    evidence = [(hours(n / 10_000), "errors", 4.4 if n == 7777 else 1.0, 4.4) for n in range(60_000)]
    rows = [row for row in rows_with(page(evidence=evidence), "sure") if "name" in row]
    assert len(rows) <= 400
    assert max(row["sure"] for row in rows) == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shares": [], "evidence": [], "events": []},
        {"shares": SHARES[:1], "evidence": [(hours(0), "errors", 0.3, 4.4)], "events": EVENTS[:1]},
        {"evidence": [(hours(n / 9), f"{LONG} {k}", 1.0, 4.4) for k in range(9) for n in range(9)]},
    ],
    ids=["usual", "nothing", "one point", "long names"],
)
def test_page_can_be_drawn(changes):
    picture = vl_convert.vegalite_to_png(page(**changes))
    assert picture == vl_convert.vegalite_to_png(page(**changes))
    width = int.from_bytes(picture[16:20], "big")
    assert 700 <= width <= 850  # no name makes the page wider


def points(count: int) -> list[tuple[datetime, float, float, float]]:
    return [(hours(n), 0.01, 0.01 - 0.5 / (n + 1), 0.01 + 0.5 / (n + 1)) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3000])
def test_comparison_can_be_drawn(count):
    spec = comparison_chart(
        "A/B test", points=points(count), effect=0.02, what="Right decisions", below="So."
    )
    assert len(rows_with(spec, "low")) == min(count, 400)
    assert vl_convert.vegalite_to_png(spec)
    said = {row["name"] for row in rows_with(spec, "name")}
    assert said == {"gain worth acting on", "no difference", "loss worth acting on"}


def test_wide_first_intervals_do_not_flatten_the_later_ones():
    text = json.dumps(comparison_chart("A/B test", points=points(200), effect=0.02, what="Right decisions"))
    domain = json.loads(text[text.index('"domain": [-') + len('"domain": ') :].split("]")[0] + "]")
    assert -0.1 < domain[0] < -0.02
    assert 0.02 < domain[1] < 0.1
