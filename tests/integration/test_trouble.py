"""Workers that hang or eat memory are replaced, and the service goes on."""

import signal
import threading
import time
from contextlib import suppress

import httpx
import polars as pl
import pytest

from examples import FLIGHT, featured_bundle, write_plan
from rollouts import two_versions
from serving import running
from vitok.journal.ledger import Ledger
from vitok.kernel.clock import system_clock
from vitok.loop.keep import collect
from vitok.loop.observe import observe
from vitok.loop.rollout import release_version
from vitok.registry import releases
from vitok.release.policy import Policy
from vitok.release.route import route
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
PATH = "/models/flights/predict"
ROW = FLIGHT | {"departure": "2026-01-01T00:00:00Z"}
SOURCE = """
import polars as pl

KEPT = []


def add_features(frame):
    while (frame["distance"] == 666).any():
        pass
    if (frame["distance"] == 777).any():
        KEPT.append(bytearray(300 * 2**20))
    return frame.with_columns(
        hour=pl.col("departure").dt.hour().cast(pl.Float32), far=(pl.col("distance") > 1000).cast(pl.Float32)
    )
"""


def project_with(folder, policy):
    home = folder / ".vitok"
    write_plan(home, featured_bundle(Blobs(home / "blobs"), SOURCE), policy=policy)
    return folder


def ask(url, distance=500, seconds=5.0):
    return httpx.post(f"{url}{PATH}", json={"rows": [ROW | {"distance": distance}]}, timeout=seconds)


def until_answered(url, seconds=15.0):
    """Returns when the server answers again."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with suppress(httpx.HTTPError):
            if ask(url, seconds=1.0).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not answer again")


def test_worker_that_hangs_is_replaced(tmp_path):
    log = tmp_path / "log"
    with running(project_with(tmp_path / "p", Policy(timeout_seconds=0.5)), log=log) as server:
        assert ask(server.url).status_code == 200
        (before,) = server.workers()

        def hang():
            with suppress(httpx.HTTPError):
                ask(server.url, distance=666)

        thread = threading.Thread(target=hang)
        thread.start()
        time.sleep(0.5)
        until_answered(server.url)
        (after,) = server.workers()
        assert after.pid != before.pid
        thread.join()
    assert "has not moved for" in log.read_text()
    assert "add_features" in log.read_text()  # where it hung


def test_the_first_request_that_a_new_version_hangs_is_an_error_of_its_roll_out(tmp_path):
    def bundle(blobs, bias):
        return featured_bundle(blobs, SOURCE, code={"bias": str(bias)})

    project = two_versions(tmp_path, system_clock, bundle=bundle, more="serve: {timeout: 500ms}\n")
    rollout = release_version(project, Ledger(project.lake), 2).rollout
    with project.engine.connect() as connection:
        plan = releases.current(connection).plan
    tails = [f"N{number}" for number in range(100)]
    new = next(tail for tail in tails if route(plan, tail, bool).version == 2)
    hanging = ROW | {"distance": 666, "tail": new, "flight": "hanging"}
    with running(tmp_path) as server:
        for tail in tails:
            body = {"rows": [ROW | {"tail": tail}]}
            assert httpx.post(f"{server.url}{PATH}", json=body).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.post(f"{server.url}{PATH}", json={"rows": [hanging]}, timeout=10)
        until_answered(server.url)
    collect(project)
    journal = Ledger(project.lake)
    (row,) = journal.since(rollout.started).filter(pl.col("id") == "hanging").to_dicts()
    expected = {"action": "failed", "version": 2, "role": "challenger", "unit": new, "epoch": plan.epoch}
    assert {name: row[name] for name in expected} == expected
    assert row["reason"] == "hung the worker"
    evidence = observe(project, journal, rollout, [plan], system_clock()).evidence
    errors = next(finding for finding in evidence.findings if finding.guard == "errors")
    assert evidence.hangs == 1
    answered = journal.since(rollout.started).filter(pl.col("version") == 2)["unit"].n_unique()
    assert errors.challenger == pytest.approx(1 / answered)
    assert errors.champion == 0


def test_worker_that_eats_memory_is_replaced_and_answers_what_it_took(tmp_path):
    with running(project_with(tmp_path / "p", Policy(memory_mb=400))) as server:
        (before,) = server.workers()
        answers = [ask(server.url, distance=777) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        until = time.monotonic() + 15
        while time.monotonic() < until and before.is_running():
            time.sleep(0.1)
        until_answered(server.url)
        (after,) = server.workers()
        assert after.pid != before.pid


def many(distance, count=300):
    return [ROW | {"distance": 500}] * (count - 1) + [ROW | {"distance": distance}]


def test_worker_whose_threads_hang_is_replaced_and_follows_the_plan(tmp_path):
    project, log = project_with(tmp_path / "p", Policy(timeout_seconds=0.5)), tmp_path / "log"
    with running(project, log=log) as server:
        (before,) = server.workers()
        answer = httpx.post(f"{server.url}{PATH}", json={"rows": many(666)}, timeout=10)
        assert answer.status_code == 504
        assert ask(server.url).status_code == 200  # the others go on meanwhile
        before.wait(20)
        until_answered(server.url)
        answer = httpx.post(f"{server.url}{PATH}", json={"rows": many(500)}, timeout=10)
        assert answer.status_code == 200
        (after,) = server.workers()
        assert after.pid != before.pid
    assert "a model has not answered for 1.5 s" in log.read_text()
    assert "add_features" in log.read_text()
    assert len(list((project / ".vitok" / "trouble").iterdir())) == 1


def test_shadow_that_hangs_is_recorded_and_spared_and_answers_go_on(tmp_path):
    def bundle(blobs, bias):
        return featured_bundle(blobs, SOURCE.replace("666", "888") if bias else SOURCE)

    project = two_versions(tmp_path, system_clock, bundle=bundle, more="serve: {timeout: 500ms}\n")
    rollout = release_version(project, Ledger(project.lake), 2, strategy="shadow").rollout
    with project.engine.connect() as connection:
        plan = releases.current(connection).plan
    with running(tmp_path) as server:
        (before,) = server.workers()
        assert ask(server.url, distance=888).status_code == 200
        before.wait(20)
        until_answered(server.url)
        assert ask(server.url).status_code == 200
    collect(project)
    rows = Ledger(project.lake).since(rollout.started)
    hung = rows.filter((pl.col("role") == "shadow") & (pl.col("action") == "failed"))
    assert "hung the worker" in hung["reason"].to_list()
    evidence = observe(project, Ledger(project.lake), rollout, [plan], system_clock()).evidence
    assert evidence.hangs == 1


def test_server_ends_although_a_model_hangs_in_a_thread(tmp_path):
    project = project_with(tmp_path / "p", Policy(timeout_seconds=60))
    with running(project) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}{PATH}", json={"rows": many(666)}, timeout=1)
        assert ask(server.url).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
