"""A batch is answered as the server answers: routing, decisions, fallback, what the journal keeps."""

import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec import structs

from examples import FLIGHT, flight_bundle
from vitok.charter.predicates import parse_condition_on_rows
from vitok.errors import Fault
from vitok.journal.tables import with_json
from vitok.loop.batch import Batch
from vitok.loop.batch_rows import Run, score_names
from vitok.release.holdout import HELD_OUT
from vitok.release.plan import Arm, Plan
from vitok.release.policy import Answer, Holdout, Limit, Policy, Rule
from vitok.serve.deployment import load_deployment
from vitok.serve.predict import mirror, predict
from vitok.serve.trouble import Trouble
from vitok.stats.conformal import Intervals
from vitok.store.blobs import Blobs

NOW = datetime(2013, 3, 1, 6, tzinfo=UTC)
RUN = Run("run", NOW)
HAND_OVER, NO = Answer(hand_over=True), Answer(hand_over=False, value=False)


def rule(text, answer):
    return Rule(text, parse_condition_on_rows(text, "here"), answer)


POLICY = Policy(
    scope=(rule("distance < 300", NO),),
    before=(rule("carrier = 'DL' and not holiday is null", HAND_OVER), rule("tail = 'N7'", NO)),
    after=(rule("score > 0.7 and departure < '2013-03-01T03'", HAND_OVER),),
    unsure=Limit(0.02, HAND_OVER),
)


HELD = structs.replace(POLICY, holdout=Holdout(0.25, NO, "flights"))


def plan_of(*arms, **changes):
    shares = {"champion": 1.0 - sum(share for _, role, share in arms if role == "challenger")}
    found = tuple(
        Arm(number + 1, digest, role, shares.get(role, share))
        for number, (digest, role, share) in enumerate(arms)
    )
    verdicts = {arm.digest: "accepted" for arm in (*found, *filter(None, [changes.get("fallback")]))}
    return Plan(1, "flights", "immediate", found, verdicts, "2013-01-01T00:00:00Z", **changes)


def rows(count=400):
    rng = np.random.default_rng(5)
    return [
        FLIGHT
        | {
            "flight": f"F{number}",
            "tail": f"N{number % 37}" if number % 5 else None,
            "departure": f"2013-03-01T0{number % 6}:00:00Z" if number % 7 else None,
            "distance": float(rng.integers(100, 3000)),
            "temp": float(rng.normal(0, 10)) if number % 3 else None,
            "carrier": ["AA", "DL", "UA", "ZZ"][number % 4],
            "holiday": [True, False, None][number % 3],
        }
        for number in range(count)
    ]


def frame_of(given):
    return pl.DataFrame(given).with_columns(
        pl.col("departure").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    )


def served(plan, blobs, given, folder):
    deployment = load_deployment(plan, blobs, {}, Trouble(folder / "trouble"))
    checked = deployment.champion.schema.check(given)
    answer = predict(deployment, checked, [NOW] * len(given), "worker")
    return answer, [*answer.records, *mirror(deployment, checked, answer.records, "worker")]


def batched(plan, blobs, given):
    """The output, and the rows of the journal as whoever reads it finds them."""
    output, journal, _ = Batch(plan, blobs).predict(frame_of(given), 0, RUN, is_journalled=True)
    return output, with_json(journal.lazy()).collect()


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


@pytest.mark.parametrize("policy", [Policy(), POLICY, HELD], ids=["plain", "rules", "held out"])
@pytest.mark.parametrize("output", ["binary", "three"])
def test_batch_and_server_answer_and_record_alike(tmp_path, blobs, policy, output):
    classes = {"classes": ["a", "b", "c"], "positive": None, "task": "multiclass", "threshold": None}
    changes = classes if output == "three" else {}
    if output == "three" and not policy.is_plain:
        holdout = policy.holdout and structs.replace(policy.holdout, answer=Answer(False, "b"))
        policy = Policy(
            scope=(rule("distance < 300", Answer(False, "a")),),
            unsure=Limit(0.1, HAND_OVER),
            holdout=holdout,
        )
    one, two, three = (flight_bundle(blobs, bias, output, **changes) for bias in (0.0, 0.4, -0.2))
    plan = plan_of((one, "champion", 0), (two, "challenger", 0.3), (three, "shadow", 0), policy=policy)
    answer, records = served(plan, blobs, rows(), tmp_path)
    found, journal = batched(plan, blobs, rows())
    assert found["id"].to_list() == [each.id for each in answer.predictions]
    wanted = [(e.version, e.decision, e.action, e.reason or None) for e in answer.predictions]
    given = found["decision"]
    assert list(zip(found["version"], given, found["action"], found["reason"], strict=True)) == wanted
    assert len({each.version for each in answer.predictions}) == 2
    shown = found.select(score_names(Batch(plan, blobs).manifest)).null_count().row(0)
    hidden = [each.score is None for each in answer.predictions]
    assert set(shown) == {
        sum(hidden)
    }  # of units held out callers see no score; the journal has them all, below
    assert hidden == [each.action == HELD_OUT for each in answer.predictions]
    assert any(hidden) == (policy.holdout is not None)
    by_key = {(each.id, each.version): each for each in records}
    assert journal.height == len(by_key) == 800
    for row in journal.iter_rows(named=True):
        each = by_key[row["id"], row["version"]]
        assert (row["unit"], row["time"], row["role"], row["digest"]) == (
            each.unit,
            each.time,
            each.role,
            each.digest,
        )
        assert row["action"] == each.action
        assert json.loads(row["warnings"]) == each.warnings
        kept = json.loads(msgspec.json.encode(each.inputs))
        assert json.loads(row["inputs"]).items() <= kept.items()
        scores = row["proba"] if output == "three" else [row["score"]]
        assert np.allclose(scores, each.score)


def test_broken_version_is_answered_by_the_one_before_else_by_default(tmp_path, blobs):
    good, broken = flight_bundle(blobs), flight_bundle(blobs, float("nan"))
    spare = Arm(7, good, "fallback", 0.0)
    plan = plan_of((broken, "champion", 0), policy=POLICY, fallback=spare)
    answer, _ = served(plan_of((good, "champion", 0), policy=POLICY), blobs, rows(50), tmp_path)
    found, journal = batched(plan, blobs, rows(50))
    wanted = ["fallback" if each.action == "model" else each.action for each in answer.predictions]
    assert found["action"].to_list() == wanted
    assert found["decision"].to_list() == [each.decision for each in answer.predictions]
    assert set(found["version"]) == set(journal["version"]) == {7}
    assert "fallback" in set(found["action"])
    assert set(found["reason"].str.contains("gave .* for row")) == {True}
    found, journal = batched(plan_of((broken, "champion", 0), policy=Policy(default=NO)), blobs, rows(50))
    assert set(found["action"]) == {"default"}
    assert set(found["decision"]) == {False}
    assert found["score"].null_count() == 50
    assert set(journal["role"]) == {"fallback"}
    with pytest.raises(Fault, match="version 1"):
        batched(plan_of((broken, "champion", 0)), blobs, rows(50))


def test_one_odd_row_costs_the_others_nothing(blobs, monkeypatch):
    good, other = flight_bundle(blobs), flight_bundle(blobs, 0.1)
    batch = Batch(plan_of((good, "champion", 0), fallback=Arm(7, other, "fallback", 0.0)), blobs)
    model = batch._models[good]
    score = model.score_frame

    def fails_on_odd(frame):
        if (frame["distance"] == 666).any():
            raise Fault("model", "cannot predict this", "Roll back.")
        return score(frame)

    monkeypatch.setattr(model, "score_frame", fails_on_odd)
    given = rows(200)
    given[123]["distance"] = 666.0
    found, *_ = batch.predict(frame_of(given), 0, RUN, is_journalled=False)
    assert found["action"].arg_unique().len() == 2
    assert np.flatnonzero(found["version"] == 7).tolist() == [123]
    assert found["id"][123] == "F123"


def test_rows_without_an_id_get_one_that_a_repetition_gives_again(blobs):
    batch = Batch(plan_of((flight_bundle(blobs), "champion", 0)), blobs)
    frame = frame_of(rows(3)).drop("flight", "tail", "departure")
    (one, journal, _), (two, *_) = (batch.predict(frame, 40, RUN, is_journalled=True) for _ in range(2))
    assert one["id"].to_list() == two["id"].to_list() == [f"run-{number:010}" for number in (40, 41, 42)]
    assert journal["unit"].to_list() == one["id"].to_list()
    assert set(journal["time"]) == {NOW}
    assert journal["seq"].to_list() == [41, 42, 43]


def test_intervals_are_those_of_the_bundle(blobs):
    table = Intervals(0.9, (0.5,), (0.1, 0.6), (0.3, 0.8))
    plan = plan_of((flight_bundle(blobs, intervals=table), "champion", 0))
    found, _, _ = Batch(plan, blobs, intervals=True).predict(frame_of(rows(40)), 0, RUN, is_journalled=False)
    low, high = table.bounds(found["score"].to_numpy(), is_value=False)
    assert (found["low"].to_list(), found["high"].to_list()) == (low.tolist(), high.tolist())
    assert found["low"].n_unique() == 2
