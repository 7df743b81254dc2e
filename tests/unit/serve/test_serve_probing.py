"""Callers who copy the model, callers who do not, and what is told of either."""

import json
import logging
import math
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from test_serve_access import write_keys
from test_serve_app import scenario

from examples import WEIGHTS, flight_graph, manifest, write_plan
from probes import flights, near_threshold, strange, with_reference
from vitok.kernel.clock import VirtualClock
from vitok.model.bundle import load_manifest, store_bundle
from vitok.serve import probing
from vitok.serve.app import DataPlane, ServeSettings
from vitok.serve.metrics import Metrics
from vitok.serve.probing import Probing, yardstick_of
from vitok.store.blobs import Blobs
from vitok.store.suspicions import Suspicion, append_suspicion, read_suspicions
from vitok.store.usage import Usage

GUARDED = ServeSettings(guarded=True)
PATH = "/models/flights/predict"


@pytest.fixture
def home(tmp_path):
    write_plan(tmp_path, with_reference(Blobs(tmp_path / "blobs")))
    return tmp_path


def asked(home, *requests, settings=GUARDED, **keys):
    """Sends `(key, rows)` one after another; returns the metrics and the suspicions."""
    write_keys(home, reader={"scopes": ["read"]}, **(keys or {key: {} for key, _ in requests}))

    async def work(app, client):
        digest = app.watcher.current.champion.arm.digest
        first = {"authorization": f"Bearer {requests[0][0]}"}
        await client.post(PATH, json={"rows": flights(1)}, headers=first)
        await app._probing._make(app.watcher.current.champion.model.manifest, digest)
        for key, rows in requests:
            answer = await client.post(PATH, json={"rows": rows}, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == 200
        return (await client.get("/metrics", headers={"authorization": "Bearer reader"})).text

    return scenario(home, work, settings), read_suspicions(home)


def test_share_near_the_threshold_and_ranges_come_from_the_reference(home):
    blobs = Blobs(home / "blobs")
    digest = json.loads((home / "plan.json").read_bytes())["arms"][0]["digest"]
    found = yardstick_of(load_manifest(blobs, digest), digest, blobs)
    assert list(found.ranges) == ["temp", "distance"]
    assert found.ranges["temp"] == pytest.approx((-20, 35), abs=0.1)
    assert found.ranges["distance"] == pytest.approx((100, 2500), abs=10)
    assert (found.threshold, found.near) == (0.5, probing.TOLERATED)
    crowded = with_reference(blobs, near_threshold(500))
    assert yardstick_of(load_manifest(blobs, crowded), crowded, blobs).near is None
    bare = store_bundle(blobs, manifest(), {"model.onnx": flight_graph(WEIGHTS)})
    assert yardstick_of(load_manifest(blobs, bare), bare, blobs).near is None


def test_honest_caller_is_not_suspected(home):
    text, found = asked(home, *(("shop", flights(250, seed)) for seed in range(40)))
    assert found == []
    assert "vitok_probing_suspected_total{" not in text


@pytest.mark.parametrize(
    ("rows", "pattern"), [(strange, "unlike_training"), (near_threshold, "near_threshold")]
)
def test_caller_who_probes_is_told_once_a_day_by_metric_line_and_record(home, rows, pattern, caplog):
    with caplog.at_level(logging.WARNING):
        text, found = asked(home, *[("shop", rows(100))] * 8, ("till", flights(100)))
    assert [(each.caller, each.pattern) for each in found] == [("shop", pattern)]
    assert found[0].hits / found[0].rows > 0.9
    assert found[0].rows <= probing.LEAST_ROWS + 100
    assert f'vitok_probing_suspected_total{{pattern="{pattern}"}} 1.0' in text
    (line,) = [each for each in caplog.records if "probing suspected" in each.getMessage()]
    assert line.fields["caller"] == "shop"
    assert line.fields["pattern"] == pattern


def test_probing_beside_much_honest_work_is_found_too(home):
    rows = [*flights(60, 5), *strange(40)]
    _, found = asked(home, *[("shop", rows)] * 5)
    assert [each.pattern for each in found] == ["unlike_training"]


def test_unseen_levels_count_as_unlike_training(home):
    rows = [{**row, "carrier": "ZZ"} for row in flights(150)]
    _, found = asked(home, *[("shop", rows)] * 3)
    assert [each.pattern for each in found] == ["unlike_training"]


def test_few_strange_rows_are_no_copy(home):
    assert asked(home, ("shop", strange(probing.LEAST_ROWS - 5)))[1] == []


def test_where_all_callers_are_strange_the_world_has_changed(home):
    names = ("shop", "till", "web", "app")
    _, found = asked(home, *((name, strange(50)) for _ in range(20) for name in names))
    assert found == []


def test_one_who_is_strange_among_others_who_are_not_stands_out(home):
    _, found = asked(home, *((name, flights(250)) for name in ("a", "b", "c")), *[("d", strange(100))] * 4)
    assert [each.caller for each in found] == ["d"]


def test_budget_of_rows_is_told_and_nobody_is_refused(home):
    settings = GUARDED._replace(query_budget=500)
    _, found = asked(home, *[("shop", flights(200))] * 4, ("till", flights(200)), settings=settings)
    assert [(each.caller, each.pattern, each.rows, each.tolerated) for each in found] == [
        ("shop", "query_budget", 600 + 1, 500.0)
    ]


class Answered:
    """Rows and their answer as a request has them, without a server."""

    def __init__(self, home, rows, clock):
        async def work(app, client):
            deployment = app.watcher.current
            decoded = deployment.champion.schema.check(rows)
            answer = await app_answer(app, deployment, decoded)
            return deployment, decoded, answer

        async def app_answer(app, deployment, decoded):
            from vitok.serve.predict import predict

            return predict(deployment, decoded, [clock()] * len(decoded), "w")

        self.deployment, self.rows, self.answer = scenario(home, work)


def watcher(home, clock, usage=None, budget=None):
    blobs = Blobs(home / "blobs")
    found = Probing(home, blobs, usage or Usage(home, 2), clock, Metrics(home, "w"), budget)
    arm = json.loads((home / "plan.json").read_bytes())["arms"][0]["digest"]
    found._yardsticks[arm] = yardstick_of(load_manifest(blobs, arm), arm, blobs)
    return found


def test_workers_count_together_and_over_restarts_and_each_day_anew(home):
    clock = VirtualClock(datetime(2026, 1, 1, 12, tzinfo=UTC))
    asked_for = Answered(home, strange(60), clock)
    given = ("shop", asked_for.deployment, asked_for.rows, asked_for.answer)
    usages = [Usage(home, 2) for _ in range(2)]
    workers = [watcher(home, clock, usage) for usage in usages]
    workers[0].look(*given)
    workers[1].look(*given)
    workers[0].look(*given)
    assert read_suspicions(home) == []
    usages[1].close()
    fresh = watcher(home, clock)
    fresh.look(*given)
    workers[0].look(*given)
    assert [each.rows for each in read_suspicions(home)] == [240]
    clock.move_to(clock() + timedelta(days=1))
    for _ in range(4):
        fresh.look(*given)
    assert [each.time.day for each in read_suspicions(home)] == [1, 2]


def test_false_alarms_keep_their_budget_at_the_tolerated_share(home, monkeypatch):
    """Callers whose rows are strange as often as is tolerated, at a hundred times the budget of production."""
    monkeypatch.setattr(probing, "_ENOUGH", math.log(2 / 0.01))
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    random, odd, usual = np.random.default_rng(5), strange(1), flights(1)
    one = {kind: Answered(home, rows, clock) for kind, rows in (("odd", odd), ("usual", usual))}
    found, callers = watcher(home, clock), 60
    for caller in range(callers):
        for is_odd in random.random(1500) < probing.TOLERATED:
            each = one["odd" if is_odd else "usual"]
            found.look(f"caller {caller}", each.deployment, each.rows, each.answer)
    assert len(read_suspicions(home)) <= 2  # expected: at most 0.3


def test_trouble_with_counting_never_reaches_the_caller(home, caplog):
    (home / "usage").write_text("no folder")
    _, found = asked(home, ("shop", strange(300)))
    assert found == []
    assert "callers cannot be watched" in caplog.text


def test_half_a_line_is_passed_over_and_old_files_go(tmp_path):
    for day in range(1, 21):
        each = Suspicion(datetime(2026, 1, day, tzinfo=UTC), "shop", "query_budget", 9, 9, 5.0)
        append_suspicion(tmp_path, each)
    with (tmp_path / "suspected" / "2026-01-20.jsonl").open("ab") as file:
        file.write(b'{"time":"2026-')
    assert [each.time.day for each in read_suspicions(tmp_path)] == list(range(7, 21))
    assert len(list((tmp_path / "suspected").iterdir())) == 14


def test_looking_costs_little(home, capsys):
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    each, found = Answered(home, flights(1), clock), watcher(home, clock)
    laps = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            found.look("shop", each.deployment, each.rows, each.answer)
        laps.append((time.perf_counter() - began) / 500)
    with capsys.disabled():
        print(f"\n{min(laps) * 1e6:.1f} us a request of one row")
    assert min(laps) < 100e-6


def test_unguarded_server_watches_nobody(home):
    app = DataPlane(home, lambda: datetime.now(UTC), ServeSettings(), None)
    assert app._probing is None
