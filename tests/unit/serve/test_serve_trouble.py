"""What workers do when a version fails, the journal cannot be written, or too much is asked at once."""

import asyncio
import json
import threading
import time

import polars as pl
import pytest
from test_serve_app import NOW, moved, post, scenario, serving

from examples import FLIGHT, flight_bundle, write_plan
from vitok.charter.predicates import Compare
from vitok.errors import Fault
from vitok.journal.spool import Spool
from vitok.release.holdout import HELD_OUT, held_out
from vitok.release.plan import Arm
from vitok.release.policy import Answer, Holdout, Limit, Policy, Rule
from vitok.serve import deployment
from vitok.serve.trouble import Asked, Breaker, Trouble
from vitok.store.blobs import Blobs

PATH = "/models/flights/predict"


def planned(home, policy, *, spare=False):
    """A plan with a policy; the version before may stand by."""
    blobs = Blobs(home / "blobs")
    digest = flight_bundle(blobs)
    other = flight_bundle(blobs, bias=0.1)
    fallback = Arm(7, other, "fallback", 0.0) if spare else None
    verdicts = {digest: "accepted", other: "accepted"}
    write_plan(home, digest, policy=policy, fallback=fallback, verdicts=verdicts)
    return home


def fail(app):
    """Makes the champion fail from now on; one that fails from the start is never served."""

    def fails(columns, count):
        raise Fault("model flights version 1", "gave [nan]", "Roll back and look at the bundle.")

    app.watcher.current.champion.model._run = fails


def post_to_broken(home, times=1):
    async def work(app, client):
        fail(app)
        for _ in range(times):
            answer = await client.post(PATH, json={"rows": [FLIGHT]})
        return answer, app.watcher.current.in_trouble

    return scenario(home, work)


def test_rules_decide_and_are_recorded(tmp_path):
    rule = Rule("distance < 900 -> hand_over", Compare("distance", "<", 900), Answer(hand_over=True))
    home = planned(tmp_path, Policy(before=(rule,), unsure=Limit(0.3, Answer(hand_over=False, value=False))))
    answer = post(home, PATH, {"rows": [FLIGHT, FLIGHT | {"distance": 1000}]}).json()
    first, second = answer["predictions"]
    assert first["decision"] is None
    assert (first["action"], first["reason"]) == ("hand_over", "distance < 900 -> hand_over")
    assert first["score"] > 0
    assert second["decision"] is False
    assert second["action"] == "default"
    assert "of the threshold" in second["reason"]
    rows = moved(home).predictions().sort("decision", nulls_last=True)
    assert rows["action"].to_list() == ["default", "hand_over"]
    assert rows["decision"].to_list() == ["false", None]


def test_version_before_answers_for_one_that_fails(tmp_path):
    home = planned(tmp_path, Policy(), spare=True)
    answer, _ = post_to_broken(home)
    assert answer.status_code == 200
    assert answer.json()["version"] == 7
    (found,) = answer.json()["predictions"]
    assert found["action"] == "fallback"
    assert "version 1: gave [nan]" in found["reason"]
    (record,) = moved(home).predictions().to_dicts()
    assert (record["version"], record["role"], record["action"]) == (7, "fallback", "fallback")


def test_default_answers_where_no_version_can(tmp_path):
    home = planned(tmp_path, Policy(default=Answer(hand_over=False, value=False)))
    (found,) = post_to_broken(home)[0].json()["predictions"]
    assert found["decision"] is False
    assert found["action"] == "default"
    assert "score" not in found
    (record,) = moved(home).predictions().to_dicts()
    assert record["score"] is None


def test_without_a_fallback_the_failure_is_told(tmp_path):
    answer, _ = post_to_broken(planned(tmp_path, Policy()))
    assert answer.status_code == 500
    assert "version 1: gave [nan]" in answer.json()["error"]


def test_a_failure_is_told_once(tmp_path):
    answer, _ = post_to_broken(planned(tmp_path, Policy()), times=7)
    told = answer.json()["error"]
    assert told.startswith("version 1: is at rest after failing again and again. See the server's log.")
    assert told.count("version 1") == 1


def test_one_row_that_fails_does_not_fail_its_neighbours(tmp_path):
    """Requests of one turn are scored together; the one at fault falls back, the others do not."""
    home = planned(tmp_path, Policy(default=Answer(hand_over=True)))

    async def work(app, client):
        model = app.watcher.current.champion.model
        run = model._run

        def poisoned(columns, count):
            if (columns["distance"] == 666).any():
                raise Fault("model", "cannot predict", "Look.")
            return run(columns, count)

        model._run = poisoned
        rows = [FLIGHT | {"distance": distance} for distance in (500, 666, 700, 800)]
        return await asyncio.gather(*(client.post(PATH, json={"rows": [row]}) for row in rows))

    answers = [answer.json()["predictions"][0] for answer in scenario(home, work)]
    assert [answer.get("action") for answer in answers] == [None, "hand_over", None, None]


def test_version_that_keeps_failing_rests(tmp_path):
    answer, in_trouble = post_to_broken(planned(tmp_path, Policy(), spare=True), times=7)
    assert in_trouble
    assert "at rest" in answer.json()["predictions"][0]["reason"]


def test_breaker_tries_again_after_its_rest(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    breaker = Breaker()
    for _ in range(5):
        assert not breaker.is_open
        breaker.failed()
    assert breaker.is_open
    now = 111.0
    assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open
    now = 130.0
    breaker.succeeded()
    breaker.failed()
    assert not breaker.is_open


def test_bundle_that_hung_two_workers_begins_at_rest(tmp_path):
    Trouble(tmp_path).mark_hang("a" * 64)
    assert not Trouble(tmp_path).breaker("a" * 64).is_open
    Trouble(tmp_path).mark_hang("a" * 64)
    assert Trouble(tmp_path).breaker("a" * 64).is_open
    assert not Trouble(tmp_path).breaker("b" * 64).is_open


def test_what_a_hanging_worker_was_asked_is_known_only_while_it_is_asked(tmp_path):
    trouble, asked = Trouble(tmp_path), Asked("a" * 64, list)

    async def ask():
        trouble.asking(asked)
        await asyncio.to_thread(trouble.answered)  # rows that were scored in a thread apart
        return trouble.take_asked()

    assert asyncio.run(ask()) is asked
    fresh = Trouble(tmp_path)

    async def ask_and_answer():
        fresh.asking(asked)
        fresh.answered()
        await asyncio.to_thread(fresh.asking, asked)

    asyncio.run(ask_and_answer())
    assert fresh.take_asked() is None


def test_an_answer_that_comes_after_its_rows_were_taken_for_failed_is_never_given(tmp_path, monkeypatch):
    class Waits(BaseException):
        pass

    def sleep(seconds):
        raise Waits

    monkeypatch.setattr(time, "sleep", sleep)
    trouble = Trouble(tmp_path)

    async def late():
        trouble.asking(Asked("a" * 64, list))
        trouble.take_asked()
        trouble.answered()

    with pytest.raises(Waits):
        asyncio.run(late())


def test_who_stands_in_a_thread_apart_is_taken_once_and_then_too_late(tmp_path):
    trouble, asked, gone_on = Trouble(tmp_path), Asked("a" * 64, list), threading.Event()

    def work():
        trouble.asking(asked)
        time.sleep(0.2)
        trouble.answered()  # never returns: its rows are taken for failed
        gone_on.set()

    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.1)
    assert trouble.take_standing(10) == []
    assert trouble.take_standing(0) == [asked]
    assert trouble.take_standing(0) == []
    assert not gone_on.wait(0.5)


def test_nobody_begins_while_the_watchdog_goes_through_those_that_are_asked(tmp_path):
    trouble, asked = Trouble(tmp_path), Asked("a" * 64, list)
    thread = threading.Thread(target=trouble.asking, args=[asked])
    with trouble._guard:
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join()
    assert trouble.take_standing(0) == [asked]


def test_an_explanation_that_takes_too_long_is_given_up(tmp_path):
    home = planned(tmp_path, Policy(timeout_seconds=0.2))

    async def work(app, client):
        times = slow(app, 0.05)  # each of the many scores that an explanation takes is in time
        row = FLIGHT | {"distance": 666}
        answer = await client.post("/models/flights/explain", json={"rows": [row] * 20})
        return answer, await client.post(PATH, json={"rows": [FLIGHT]}), times

    answer, after, times = scenario(home, work)
    assert (answer.status_code, after.status_code) == (504, 200)
    assert "longer than 0.2 s" in answer.json()["error"]
    assert len(times) > 1


def test_a_plan_whose_model_never_loads_leaves_the_one_before_and_does_not_stop_the_next(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(deployment, "_LOAD_SECONDS", 0.5)
    home = planned(tmp_path, Policy())
    blobs = Blobs(home / "blobs")
    hanging, loads = flight_bundle(blobs, bias=0.2), []
    load = deployment.load_model

    def never(blobs, digest, **how):
        loads.append(digest)
        if digest == hanging:
            time.sleep(30)
        return load(blobs, digest, **how)

    monkeypatch.setattr(deployment, "load_model", never)

    async def work(app, client):
        write_plan(home, hanging, epoch=2, verdicts={hanging: "accepted"})
        for _ in range(2):
            await app.watcher.poll()
        during = app.watcher.problem, app.watcher.current.plan.epoch
        good = flight_bundle(blobs, bias=0.3)
        write_plan(home, good, epoch=3, verdicts={good: "accepted"})
        await app.watcher.poll()
        return during, app.watcher.problem, app.watcher.current.plan.epoch

    (problem, epoch), after, now = scenario(home, work)
    assert (problem, epoch) == ("a model of the new release plan did not load in 0.5 s", 1)
    assert (after, now) == (None, 3)
    assert loads.count(hanging) == 1  # tried once: each time would leave a thread behind


class Panics(BaseException):
    """Such as Polars panics, outside of the ordinary exceptions."""


@pytest.mark.parametrize(
    "error", [Panics, SystemExit, KeyboardInterrupt, asyncio.CancelledError, StopIteration]
)
def test_whatever_a_model_raises_nobody_waits_for_ever(tmp_path, error):
    home = planned(tmp_path, Policy(queue=12))

    async def work(app, client):
        model = app.watcher.current.champion.model
        run = model._run

        def panics(columns, count):
            if (columns["distance"] == 666).any():
                raise error("at the disco")
            return run(columns, count)

        model._run = panics
        found = []
        for _ in range(3):  # also places of the queue must come back
            rows = [FLIGHT | {"distance": 666 if place == 5 else 500} for place in range(11)]
            asked = (client.post(PATH, json={"rows": [row]}) for row in rows)
            found += await asyncio.wait_for(asyncio.gather(*asked), 20)
        large = await client.post(PATH, json={"rows": [FLIGHT] * 299 + [FLIGHT | {"distance": 666}]})
        return found, large

    answers, large = scenario(home, work)
    assert [answer.status_code for answer in answers] == ([200] * 5 + [500] + [200] * 5) * 3
    failed = next(answer for answer in answers if answer.status_code == 500)
    assert f"raised {error.__name__}: at the disco" in failed.json()["error"]
    assert large.status_code == 500
    assert f"raised {error.__name__}" in large.json()["error"]


def slow(app, seconds):
    """Makes the champion slow for rows of distance 666; gives a list that grows with each time it was."""
    model, times = app.watcher.current.champion.model, []
    run = model._run

    def slowly(columns, count):
        if (columns["distance"] == 666).any():
            time.sleep(seconds)
            times.append(seconds)
        return run(columns, count)

    model._run = slowly
    return times


@pytest.mark.parametrize("spare", [True, False])
def test_an_answer_that_took_longer_than_a_request_may_is_a_failure(tmp_path, spare):
    home = planned(tmp_path, Policy(timeout_seconds=0.1), spare=spare)

    async def work(app, client):
        slow(app, 0.15)
        row = {"rows": [FLIGHT | {"distance": 666}]}
        answers = [await client.post(PATH, json=row) for _ in range(6)]
        return answers, await client.post(PATH, json={"rows": [FLIGHT]}), app.watcher.current.in_trouble

    answers, quick, in_trouble = scenario(home, work)
    assert in_trouble
    first, last = answers[0], answers[-1]
    if spare:
        assert {answer.status_code for answer in answers} == {200}
        assert "timed out" in first.json()["predictions"][0]["reason"]
        assert "at rest" in last.json()["predictions"][0]["reason"]
        assert quick.json()["predictions"][0]["action"] == "fallback"
    else:
        assert (first.status_code, last.status_code) == (504, 500)
        assert "longer than 0.1 s" in first.json()["error"]
        failures = moved(home).since(NOW).filter(pl.col("action") == "failed")
        assert failures["reason"].to_list().count("timed out") == 5


def test_rows_that_are_late_together_are_asked_once(tmp_path):
    """Asked again one by one they would hold the worker up for many times the limit."""
    home = planned(tmp_path, Policy(timeout_seconds=0.1), spare=True)

    async def work(app, client):
        times = slow(app, 0.15)
        rows = [FLIGHT | {"distance": 666 if place == 5 else 500} for place in range(12)]
        answers = await asyncio.gather(*(client.post(PATH, json={"rows": [row]}) for row in rows))
        return answers, times

    answers, times = scenario(home, work)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["predictions"][0].get("action") for answer in answers} >= {"fallback"}
    assert len(times) == 1


@pytest.mark.parametrize("unrecorded", ["refuse", "answer"])
def test_charter_says_what_happens_when_the_journal_cannot_be_written(tmp_path, monkeypatch, unrecorded):
    def refuses(self, records):
        raise Fault("journal", "cannot be written: database or disk is full", "Free disk space.")

    monkeypatch.setattr(Spool, "append", refuses)
    answer = post(planned(tmp_path, Policy(unrecorded=unrecorded)), PATH, {"rows": [FLIGHT]})
    if unrecorded == "refuse":
        assert answer.status_code == 503
        assert "not recorded, so not answered" in answer.json()["error"]
    else:
        assert answer.status_code == 200
        assert answer.json()["recorded"] is False


def test_overload_is_turned_away_early_and_accepted_requests_are_answered(tmp_path):
    home = planned(tmp_path, Policy(queue=4))

    async def run():
        async with serving(home) as (_, client):
            return await asyncio.gather(*(client.post(PATH, json={"rows": [FLIGHT]}) for _ in range(20)))

    answers = asyncio.run(run())
    codes = [answer.status_code for answer in answers]
    assert codes.count(200) >= 4
    assert set(codes) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert moved(home).predictions().height == codes.count(200)


def test_requests_whose_bodies_come_together_are_no_more_than_the_queue_holds(tmp_path):
    home = planned(tmp_path, Policy(queue=2))
    body = json.dumps({"rows": [FLIGHT]}).encode()

    async def work(app, client):
        together, statuses = asyncio.Event(), []

        async def receive():
            await together.wait()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b""}
        asked = [asyncio.create_task(app(dict(scope), receive, send)) for _ in range(100)]
        await asyncio.sleep(0.05)  # all have passed the first look at the queue
        together.set()
        await asyncio.gather(*asked)
        return statuses

    statuses = scenario(home, work)
    assert 1 <= statuses.count(200) <= 10
    assert statuses.count(429) == 100 - statuses.count(200)


def test_callers_see_as_many_decimals_as_the_charter_says_and_the_journal_all(tmp_path):
    home = planned(tmp_path, Policy(decimals=2))

    async def work(app, client):
        return await asyncio.gather(*(client.post(PATH, json={"rows": [FLIGHT]}) for _ in range(3)))

    assert {answer.json()["predictions"][0]["score"] for answer in scenario(home, work)} == {0.7}
    assert set(moved(home).predictions()["score"].round(6)) == {0.700567}


def test_units_held_out_get_the_charters_answer_and_no_score_through_every_door(tmp_path):
    home = planned(tmp_path, Policy(holdout=Holdout(0.5, Answer(False, False), "flights")))
    rows = [FLIGHT | {"tail": f"N{number}"} for number in range(40)]
    held = held_out(Holdout(0.5, Answer(False, False), "flights"), [row["tail"] for row in rows])

    async def work(app, client):
        paths = (PATH, f"{PATH}?interval=true", PATH.replace("predict", "explain"))
        return [await client.post(path, json={"rows": rows[:30]}) for path in paths]

    for answer in scenario(home, work):
        for told, is_held in zip(answer.json()["predictions"], held, strict=False):
            if is_held:
                assert (told["decision"], told["action"]) == (False, HELD_OUT)
                assert not {"score", "interval", "explanation"} & set(told)
            else:
                assert told["score"] > 0
                assert "action" not in told
    kept = moved(home).predictions()
    assert kept["score"].null_count() == 0
    assert set(kept.filter(pl.col("action") == HELD_OUT)["unit"]) == {
        row["tail"] for row, is_held in zip(rows[:30], held, strict=False) if is_held
    }
