"""Workers that hang or eat memory are replaced, and the service goes on."""

import threading
import time
from contextlib import suppress

import httpx
import pytest

from examples import FLIGHT, featured_bundle, write_plan
from serving import running
from vitok.release.policy import Policy
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
