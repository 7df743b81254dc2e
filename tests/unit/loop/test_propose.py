"""Proposals of a first share: what the journal says of traffic and failures, and what stands in for it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from examples import CHARTER
from vitok.charter.load import load_charter
from vitok.errors import UserMistake
from vitok.journal.frames import PREDICTIONS, conform
from vitok.loop.propose import Asked, propose_rollout
from vitok.loop.traffic import units_of
from vitok.store.lake import Lake

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RELEASE = "release: {strategy: canary, guard: {latency: null}, max_hours: 48}\n"


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def journal(lake, rows):
    """Rows of (unit, days ago, action, role)."""
    frame = pl.DataFrame(
        {
            "id": [f"row-{n}" for n in range(len(rows))],
            "unit": [row[0] for row in rows],
            "time": [NOW - timedelta(days=row[1]) for row in rows],
            "action": [row[2] for row in rows],
            "role": [row[3] for row in rows],
        }
    )
    lake.append("predictions", conform(frame, PREDICTIONS))


def project(lake, release=RELEASE):
    charter = load_charter(f"{CHARTER}{release}").charter
    return SimpleNamespace(lake=lake, clock=lambda: NOW, charter=charter)


def test_units_are_counted_once_and_judged_by_their_first_request(lake):
    journal(
        lake,
        [
            ("a", 5, "model", "champion"),
            ("a", 4, "failed", "champion"),  # not its first
            ("b", 3, "failed", "champion"),
            ("c", 2, "model", "fallback"),  # another version had to answer
            ("d", 2, "model", "shadow"),  # answers nobody
            ("e", 40, "failed", "champion"),  # too long ago
        ],
    )
    found = units_of(lake, NOW, 30)
    assert found is not None
    assert (found.seen, found.rows, found.failed, found.days) == (3, 4, 2, 5.0)
    assert found.per_day == pytest.approx(0.6)


def test_no_journal_and_no_rows_are_nothing(lake):
    assert units_of(lake, NOW, 30) is None
    journal(lake, [("e", 40, "model", "champion")])
    assert units_of(lake, NOW, 30) is None


def test_journal_gives_the_rate_and_the_traffic(lake):
    failing = [(f"u{n}", 10, "failed" if n < 20 else "model", "champion") for n in range(1000)]
    journal(lake, failing)
    found = propose_rollout(project(lake), Asked(rollback_cost=2000.0, error_cost=60.0, bad=5.0))
    assert found["stakes"]["base"] == 0.02
    assert found["stakes"]["requests"] == pytest.approx(200)  # 100 a day for 48 hours
    assert found["sources"]["base"].startswith("journal: 20 of 1000 units")
    assert found["best"] is None
    assert found["sentence"].startswith(
        "No share finds a version that fails 5 times as often as 2.00% in time"
    )


def test_given_figures_win_and_the_sentence_tells_the_best(lake):
    asked = Asked(rollback_cost=2000.0, error_cost=60.0, base=0.01, traffic=20_000.0)
    found = propose_rollout(project(lake), asked)
    best = found["best"]
    assert best == found["offers"][0]
    assert best["in_time"]
    assert best["cost"] == min(offer["cost"] for offer in found["offers"] if offer["in_time"])
    assert found["sentence"].startswith(f"Begin with {best['share']:.0%} and alpha {best['alpha']:g}")
    assert found["now"]["share"] == 0.05


@pytest.mark.parametrize(
    ("rows", "base", "says"), [(0, 0.01, "negligible"), (1000, 0.003, "none of 1000 units")]
)
def test_stand_ins_for_an_unknown_rate_are_stated(lake, rows, base, says):
    if rows:
        journal(lake, [(f"u{n}", 10, "model", "champion") for n in range(rows)])
    found = propose_rollout(project(lake), Asked(rollback_cost=2000.0, error_cost=60.0, traffic=100.0))
    assert found["stakes"]["base"] == base
    assert says in found["sources"]["base"]


def test_cost_of_an_error_comes_from_the_budget_of_harm(lake):
    release = RELEASE.replace("max_hours: 48", "exposure: {budget: 500, per_answer: 2.5}")
    found = propose_rollout(project(lake, release), Asked(rollback_cost=50.0, base=0.05, traffic=5000.0))
    assert found["stakes"]["error_cost"] == 2.5
    assert found["sources"]["error_cost"] == "release.exposure.per_answer"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"error_cost": None}, "--error-cost"),
        ({"traffic": 0.0}, "--traffic"),
        ({"bad": 1.0}, "releases propose"),
        ({"base": 0.0}, "releases propose"),
        ({"chance": 1.0}, "releases propose"),
        ({"rollback_cost": 0.0}, "releases propose"),
        ({"error_cost": float("nan")}, "releases propose"),
        ({"traffic": float("inf")}, "--traffic"),
    ],
)
def test_figures_that_cannot_be_are_mistakes(lake, changes, place):
    asked = Asked(rollback_cost=2000.0, error_cost=60.0, base=0.01, traffic=1000.0)._replace(**changes)
    with pytest.raises(UserMistake) as caught:
        propose_rollout(project(lake), asked)
    assert caught.value.place == place
