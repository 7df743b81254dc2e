"""New plans under full load: not one request fails or is answered by one version in the name of another."""

import asyncio
import gc
import threading
import time

import httpx
import psutil
import pytest

from examples import FLIGHT, flight_bundle, write_plan
from serving import running
from vitok.kernel.clock import system_clock
from vitok.serve.app import create_app
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
PATH = "/models/flights/predict"
WITHIN_SECONDS = 20.0  # a worker looks every half second; the rest is for busy machines


class Load:
    """Clients that ask as fast as they can, and what they were answered."""

    def __init__(self, url, clients=8):
        self.url = url
        self.answers = {}
        self.failures = []
        self.count = 0
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        with httpx.Client() as client:
            while not self._ending.is_set():
                try:
                    answer = client.post(self.url + PATH, json={"rows": [FLIGHT]})
                    content = answer.json()
                    key = (content["version"], round(content["predictions"][0]["score"], 6))
                    self.answers[key] = time.monotonic()
                    self.count += 1
                except (httpx.HTTPError, KeyError) as error:
                    self.failures.append(repr(error))


def swap_often(tmp_path, swaps):
    home = tmp_path / ".vitok"
    blobs = Blobs(home / "blobs")
    digests = [flight_bundle(blobs, bias=bias) for bias in (0.0, 0.5)]
    roles = [digests, digests[::-1]]
    write_plan(home, *roles[0][:1])
    with running(tmp_path, workers=2) as server, Load(server.url) as load:
        for number in range(1, swaps + 1):
            turn = number % 2
            plan = {"epoch": number + 1, "arms": (_arm(turn + 1, digests[turn]),)}
            write_plan(home, digests[turn], **plan)
            _until_all(server.url, turn + 1)
    return load


def _arm(version, digest):
    from vitok.release.plan import Arm

    return Arm(version, digest, "champion", 1.0)


def _until_all(url, version):
    """Waits until new connections, which go to either worker, meet the new version only."""
    until = time.monotonic() + WITHIN_SECONDS
    in_a_row = 0
    while in_a_row < 12:
        assert time.monotonic() < until, "a worker still answers by the old plan"
        found = httpx.post(url + PATH, json={"rows": [FLIGHT]}).json()["version"]
        in_a_row = in_a_row + 1 if found == version else 0


def test_swaps_under_load_lose_and_confuse_nothing(tmp_path):
    load = swap_often(tmp_path, 8)
    assert load.failures == []
    assert len(load.answers) == 2, (
        load.answers
    )  # each version has one score for the row, and never the other's
    assert load.count > 500


@pytest.mark.soak
def test_a_hundred_swaps_under_load(tmp_path):
    load = swap_often(tmp_path, 100)
    assert load.failures == []
    assert len(load.answers) == 2


def grown_megabytes(tmp_path, swaps):
    """By how much the memory of a data plane grows from a tenth of the swaps to the end."""
    home = tmp_path / ".vitok"
    blobs = Blobs(home / "blobs")
    digests = [flight_bundle(blobs, bias=bias) for bias in (0.0, 0.5)]
    write_plan(home, digests[0])

    async def work():
        app = create_app(home, system_clock)
        await app.start()
        for number in range(swaps):
            write_plan(
                home, digests[number % 2], epoch=number + 2, arms=(_arm(number + 1, digests[number % 2]),)
            )
            await app.watcher.poll()
            assert app.watcher.problem is None
            if number == swaps // 10:
                gc.collect()
                before = psutil.Process().memory_info().rss
        gc.collect()
        after = psutil.Process().memory_info().rss
        await app.stop()
        return (after - before) / 2**20

    return asyncio.run(work())


def test_memory_does_not_grow_with_swaps(tmp_path):
    assert grown_megabytes(tmp_path, 150) < 8


@pytest.mark.soak
def test_memory_does_not_grow_over_a_thousand_swaps(tmp_path):
    assert grown_megabytes(tmp_path, 1000) < 12
