"""What replay writes for rows is what workers would have written: arms, shadows, faults and fallbacks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from examples import FLIGHT, flight_bundle
from vitok.charter.predicates import Compare
from vitok.journal.ledger import MemoryLedger
from vitok.loop.feed import ID, TIME, UNIT
from vitok.loop.replay_answers import Workers
from vitok.loop.traffic_faults import TrafficFault
from vitok.loop.version_faults import NewVersion
from vitok.release.holdout import HELD_OUT, REASON, held_out
from vitok.release.plan import Arm, Plan
from vitok.release.policy import Answer, Holdout, Policy
from vitok.store.blobs import Blobs

START = datetime(2020, 1, 1, tzinfo=UTC)
COUNT = 2000


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    return blobs, flight_bundle(blobs), flight_bundle(blobs, code={"injected": "1"})


@pytest.fixture(scope="module")
def feed():
    carriers = ["AA", "DL", "UA"]
    rows = [FLIGHT | {"temp": number % 50 / 5, "carrier": carriers[number % 3]} for number in range(COUNT)]
    ids = [f"F{number}" for number in range(COUNT)]
    times = [START + timedelta(minutes=number // 2) for number in range(COUNT)]
    return pl.DataFrame(rows).with_columns(
        pl.Series(ID, ids), pl.Series(UNIT, ids), pl.Series(TIME, times, dtype=pl.Datetime("us", "UTC"))
    )


def answered(store, feed, kind=None, *, role="challenger", share=0.5, policy=None, traffic=(), **told):
    """The journal's rows under a plan of champion 1 and version 2, which has a fault."""
    blobs, champion, challenger = store
    rest = 0.0 if role == "shadow" else share
    arms = (Arm(1, champion, "champion", 1 - rest), Arm(2, challenger, role, rest))
    plan = Plan(7, "flights", "canary", arms, {}, "2020-01-01T00:00:00Z", policy=policy or Policy())
    workers = Workers(blobs, feed, traffic)
    if kind is not None:
        workers.faults[challenger] = NewVersion(kind, kind, START, **told)
    journal = MemoryLedger()
    journal.append_predictions(workers.answer(plan, feed))
    return journal.since(START)


def test_rows_are_answered_in_their_order_by_the_arm_of_their_unit(store, feed):
    rows = answered(store, feed, "good")
    assert rows.sort("seq")["id"].to_list() == feed[ID].to_list()
    assert set(rows["version"]) == {1, 2}
    assert rows.filter(pl.col("version") == 2).height == pytest.approx(COUNT / 2, rel=0.1)
    assert set(rows["role"]) == {"champion", "challenger"}
    assert set(rows["action"]) == {"model"}
    assert set(rows["epoch"]) == {7}
    assert rows["routed"].null_count() == COUNT
    assert rows["micros"].null_count() == 0
    assert set(rows["together"]) == {1}


def test_shadows_mirror_every_row_under_its_id(store, feed):
    rows = answered(store, feed, "good", role="shadow")
    live, shadow = rows.filter(pl.col("role") == "champion"), rows.filter(pl.col("role") == "shadow")
    assert sorted(live["id"]) == sorted(shadow["id"]) == sorted(feed[ID])
    assert np.allclose(live.sort("id")["score"], shadow.sort("id")["score"])


def test_a_failing_version_is_answered_for_by_the_champion_where_the_charter_says_so(store, feed):
    rows = answered(store, feed, "failing", amount=0.2, policy=Policy(previous=True))
    failed = rows.filter(pl.col("role") == "fallback")
    assert failed.height == pytest.approx(0.2 * COUNT / 2, rel=0.25)
    assert set(failed["routed"]) == {2}
    assert set(failed["version"]) == {1}
    assert set(failed["action"]) == {"fallback"}
    assert failed["decision"].null_count() == 0


def test_without_anybody_to_answer_the_rows_have_failed(store, feed):
    rows = answered(store, feed, "failing", amount=0.2, policy=Policy(previous=False))
    failed = rows.filter(pl.col("action") == "failed")
    assert failed.height == pytest.approx(0.2 * COUNT / 2, rel=0.25)
    assert set(failed["version"]) == {2}
    assert set(failed["role"]) == {"challenger"}
    for column in ("score", "decision", "micros"):
        assert failed[column].null_count() == failed.height


def test_without_a_version_before_the_charters_default_answers(store, feed):
    policy = Policy(previous=False, default=Answer(hand_over=False, value=False))
    failed = answered(store, feed, "failing", amount=0.2, policy=policy).filter(pl.col("role") == "fallback")
    assert failed.height > 0
    assert set(failed["action"]) == {"default"}
    assert set(failed["decision"]) == {"false"}


def test_a_shadow_that_fails_is_recorded_and_disturbs_nobody(store, feed):
    rows = answered(store, feed, "failing", role="shadow", amount=1.0, policy=Policy(previous=True))
    assert set(rows.filter(pl.col("role") == "champion")["action"]) == {"model"}
    assert set(rows.filter(pl.col("role") == "shadow")["action"]) == {"failed"}


def test_a_wrong_version_decides_the_other_way_round_in_its_segment_only(store, feed):
    good, wrong = answered(store, feed), answered(store, feed, "wrong", when=Compare("carrier", "=", "UA"))
    both = good.join(wrong, on="id", suffix="_wrong").join(feed.select(id=ID, carrier="carrier"), on="id")
    differs = both["decision"] != both["decision_wrong"]
    hit = (both["version"] == 2) & (both["carrier"] == "UA")
    assert (differs == hit).all()


def test_a_worse_version_gives_its_share_of_rows_another_score(store, feed):
    good, worse = answered(store, feed), answered(store, feed, "worse", amount=0.3)
    both = good.join(worse, on="id", suffix="_worse")
    differs = both.filter(pl.col("score") != pl.col("score_worse"))
    assert set(differs["version"]) == {2}
    assert differs.height == pytest.approx(0.3 * COUNT / 2, rel=0.2)


def test_a_slow_version_takes_longer_and_answers_the_same(store, feed):
    good, slow = answered(store, feed), answered(store, feed, "slow", amount=4.0)
    assert good["score"].equals(slow["score"])
    medians = slow.group_by("version").agg(pl.col("micros").median()).sort("version")["micros"]
    assert medians[1] / medians[0] == pytest.approx(4, rel=0.15)


def test_the_step_in_which_rows_are_answered_changes_nothing(store, feed):
    blobs, champion, challenger = store
    arms = (Arm(1, champion, "champion", 0.5), Arm(2, challenger, "challenger", 0.5))
    plan = Plan(7, "flights", "canary", arms, {}, "2020-01-01T00:00:00Z")
    for kind in ("failing", "worse"):
        workers = Workers(blobs, feed)
        workers.faults[challenger] = NewVersion(kind, kind, START, 0.3)
        whole = workers.answer(plan, feed)
        parts = pl.concat([workers.answer(plan, part) for part in feed.iter_slices(170)])
        assert whole.drop("score").equals(parts.drop("score"))
        assert np.allclose(whole["score"].to_numpy(), parts["score"].to_numpy(), equal_nan=True)


def test_an_incident_fails_rows_of_both_versions_and_no_version_answers_for_the_other(store, feed):
    incident = [TrafficFault("", "incident", START, 0.2)]
    rows = answered(store, feed, "good", policy=Policy(previous=True), traffic=incident)
    failed = rows.filter(pl.col("action") == "failed")
    assert failed.height == pytest.approx(0.2 * COUNT, rel=0.15)
    by_version = rows.group_by("version").agg(bad=(pl.col("action") == "failed").mean())
    assert by_version["bad"].to_list() == pytest.approx([0.2, 0.2], abs=0.03)
    assert "fallback" not in set(rows["role"])


def test_in_an_incident_the_charters_default_answers(store, feed):
    policy = Policy(default=Answer(False, False))
    rows = answered(store, feed, "good", policy=policy, traffic=[TrafficFault("", "incident", START, 1.0)])
    assert set(rows["action"]) == {"default"}
    assert set(rows["role"]) == {"fallback"}


@pytest.mark.parametrize("kind", ["good", "failing"])
def test_units_held_out_are_those_of_the_workers_with_their_scores_in_the_journal(store, feed, kind):
    holdout = Holdout(0.2, Answer(hand_over=False, value=False), "flights")
    rows = answered(store, feed, kind, policy=Policy(holdout=holdout), share=0.5)
    held = pl.lit(pl.Series(held_out(holdout, rows["unit"].to_list())))
    assert set(rows.filter(held)["action"]) == {HELD_OUT}
    assert set(rows.filter(held)["decision"]) == {"false"}
    assert rows.filter(held)["score"].null_count() == 0
    assert HELD_OUT not in set(rows.filter(~held)["action"])
    plain = answered(store, feed, kind, share=0.5)
    kept = ["id", "version", "role", "score", "routed"]
    assert rows.select(kept).equals(plain.select(kept))  # nothing else depends on it
    stood_in = rows.filter(held & (pl.col("role") == "fallback"))
    assert (
        stood_in.height == 0 if kind == "good" else set(stood_in["reason"]) == {"version 2 failed (injected)"}
    )
    alone = rows.filter(held & (pl.col("role") != "fallback"))
    assert set(alone["reason"]) == {REASON}
