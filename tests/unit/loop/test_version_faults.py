from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from vitok.charter.load import load_charter
from vitok.charter.predicates import Compare, IsIn
from vitok.errors import UserMistake
from vitok.loop.faults import Fault
from vitok.loop.traffic_faults import TrafficFault
from vitok.loop.version_faults import (
    MEDIAN_MICROS,
    SPREAD,
    failing_rows,
    parse_injection,
    require_inside,
    rows_of_others,
    service_micros,
    turned_round,
)

CHARTER = load_charter(
    "project: p\ngoal: {statement: s}\ntask: {type: binary, target: late, time: at, id: key}\n"
    "data: {sources: {t: t.csv}}\naccept: [roc_auc > 0.5]\n"
).charter
COLUMNS = ["at", "key", "temp", "kind", "late"]
IDS = [f"row-{number}" for number in range(20_000)]
MOMENT = datetime(2020, 1, 2, tzinfo=UTC)


def parsed(text):
    return parse_injection(text, CHARTER, COLUMNS)


@pytest.mark.parametrize(
    ("text", "kind", "amount", "when"),
    [
        ("good@2020-01-02", "good", 1.0, None),
        ("slow(2x)@2020-01-02", "slow", 2.0, None),
        ("slow(1.5x)@2020-01-02T00:00:00Z", "slow", 1.5, None),
        ("failing(5%)@2020-01-02", "failing", 0.05, None),
        ("failing( 0.05 )@2020-01-02", "failing", 0.05, None),
        ("worse(100%)@2020-01-02", "worse", 1.0, None),
        ("wrong(kind = 'x')@2020-01-02", "wrong", 1.0, Compare("kind", "=", "x")),
        ("wrong(kind in ('x', 'y@z'))@2020-01-02", "wrong", 1.0, IsIn("kind", ("x", "y@z"))),
    ],
)
def test_a_new_version_is_read_with_what_is_the_matter_with_it(text, kind, amount, when):
    found = parsed(text)
    assert (found.kind, found.amount, found.when, found.since) == (kind, amount, when, MOMENT)


def test_faults_of_the_data_and_of_all_traffic_are_read_too():
    assert isinstance(parsed("missing(temp)@2020-01-02"), Fault)
    text = "incident(20%,12h)@2020-01-02"
    assert parsed(text) == TrafficFault(text, "incident", MOMENT, 0.2, timedelta(hours=12))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lazy(5%)@2020-01-02", r"'lazy\(5%\)@2020-01-02' is no fault.*failing\(5%\)"),
        ("good(5%)@2020-01-02", "has an argument"),
        ("failing@2020-01-02", r"has no argument. Write failing\(5%\)"),
        ("failing()@2020-01-02", "has no argument"),
        ("failing(101%)@2020-01-02", "'101%' in .* is not a share from 0 to 100 %"),
        ("failing(-5%)@2020-01-02", "is not a share"),
        ("failing(5)@2020-01-02", "is not a share"),
        ("worse(nan)@2020-01-02", "is not a share"),
        ("slow(2)@2020-01-02", "'2' in .* is not a multiple above 0"),
        ("slow(0x)@2020-01-02", "is not a multiple above 0"),
        ("slow(fast)@2020-01-02", "is not a multiple above 0"),
        ("wrong(kind =)@2020-01-02", "cannot read the condition"),
        ("wrong(kid = 'x')@2020-01-02", "'kid' is no column of the rows. Did you mean 'kind'"),
        ("wrong(late = true)@2020-01-02", "'late' is no column of the rows"),
        ("failing(5%)@soon", "'soon' is no time"),
        ("failing(5%)", "is no fault"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_message(text, told):
    with pytest.raises(UserMistake, match=f"(?s)^--inject.*{told}"):
        parsed(text)


@pytest.mark.parametrize("days", [-3, 5])
def test_a_version_must_appear_within_the_span(days):
    version = parsed(f"good@{(MOMENT + timedelta(days=days)).date()}")
    with pytest.raises(UserMistake, match="lies outside of the span"):
        require_inside(version, MOMENT, MOMENT + timedelta(days=5))


def test_simulated_times_are_log_normal_and_the_same_for_the_same_row():
    usual = service_micros(IDS, 1, None)
    assert np.median(usual) == pytest.approx(MEDIAN_MICROS, rel=0.02)
    assert np.log(usual).std() == pytest.approx(SPREAD, rel=0.02)
    assert np.array_equal(usual[:10], service_micros(IDS[:10], 1, None))
    assert (
        abs(np.corrcoef(usual, service_micros(IDS, 2, None))[0, 1]) < 0.03
    )  # versions are slow on rows of their own


def test_a_slow_version_takes_so_many_times_as_long():
    slow = service_micros(IDS, 1, parsed("slow(3x)@2020-01-02"))
    assert np.allclose(slow, 3 * service_micros(IDS, 1, None), atol=2)


def test_a_failing_version_fails_for_its_share_of_rows_and_always_for_the_same():
    fault = parsed("failing(5%)@2020-01-02")
    bad = failing_rows(IDS, fault)
    assert bad.mean() == pytest.approx(0.05, abs=0.006)
    assert np.array_equal(bad[100:200], failing_rows(IDS[100:200], fault))
    assert not failing_rows(IDS, None).any()
    assert not failing_rows(IDS, parsed("worse(5%)@2020-01-02")).any()
    assert failing_rows(IDS, parsed("failing(100%)@2020-01-02")).all()


def test_a_worse_version_takes_the_scores_of_other_rows_for_its_share():
    chosen, others = rows_of_others(IDS, parsed("worse(10%)@2020-01-02"), 50)
    assert chosen.mean() == pytest.approx(0.1, abs=0.008)
    assert len(others) == chosen.sum()
    assert set(others) == set(range(50))


def test_turning_round_flips_every_decision_of_two_classes():
    manifest = SimpleNamespace(threshold=0.2)
    scores = np.array([0.0, 0.1, 0.19, 0.2, 0.21, 0.9, 1.0])
    turned = turned_round(scores, manifest)
    assert ((turned >= 0.2) == (scores < 0.2)).all()
    assert (np.diff(turned[scores < 0.2]) < 0).all()
    assert ((turned >= 0) & (turned <= 1)).all()


def test_turning_round_swaps_the_most_and_the_least_likely_of_several_classes():
    turned = turned_round(np.array([[0.1, 0.3, 0.6], [0.5, 0.4, 0.1]]), SimpleNamespace(threshold=None))
    assert turned.tolist() == [[0.6, 0.3, 0.1], [0.1, 0.4, 0.5]]


def test_turning_round_changes_the_sign_of_values():
    assert turned_round(np.array([1.0, -2.0]), SimpleNamespace(threshold=None)).tolist() == [-1.0, 2.0]
