"""Workers and movers are killed at random moments under load: nothing that was acknowledged is lost or doubled."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import psutil
import pytest

from examples import FLIGHT, flight_bundle, write_plan
from serving import running
from vitok.journal.mover import move
from vitok.journal.segments import spools
from vitok.store.blobs import Blobs
from vitok.store.lake import Lake

pytestmark = pytest.mark.xdist_group("serving")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOVER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from vitok.journal.mover import move
from vitok.store.lake import Lake

home = Path(sys.argv[1])
lake = Lake(home / "lake")
print("ready", flush=True)
while True:
    moved = move(home / "journal", lake, datetime(2026, 1, 1, tzinfo=UTC))
    assert not moved.problems, moved.problems
    time.sleep(0.05)
"""


async def post(port, path, content):
    """Sends a request on a connection of its own, so that both workers get some; cheap, so that they are kept busy.

    Returns:
        Status and body; None if the connection broke.
    """
    body = json.dumps(content).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head.encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return int(head[9:12]), await reader.readexactly(size)
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError):
        await asyncio.sleep(0.02)
        return None


class Load:
    """Clients that predict and then tell what happened; remembers what they were promised."""

    def __init__(self, port):
        self.port = port
        self.done = threading.Event()
        self.predicted, self.told = [], []
        self.failed_rows = self.failed = 0
        self._untold = []

    async def run(self):
        await asyncio.gather(*[self._predict(name) for name in "abcd"], self._tell())

    async def _predict(self, name):
        number = 0
        while not self.done.is_set():
            count = (1, 20, 200, 2, 300)[number % 5]  # 300 are committed in a thread
            rows = [FLIGHT | {"flight": f"{name}-{number}-{part}"} for part in range(count)]
            number += 1
            answer = await post(self.port, "/models/flights/predict", {"rows": rows})
            if answer is None:
                self.failed += 1
                self.failed_rows += count
                continue
            status, body = answer
            assert status == 200, body
            ids = [found["id"] for found in json.loads(body)["predictions"]]
            self.predicted += ids
            self._untold += ids[:5]
            await asyncio.sleep(0.005)

    async def _tell(self):
        while self._untold or not self.done.is_set():
            some, self._untold = self._untold[:100], self._untold[100:]
            if some:
                await self._tell_some(some)
            else:
                await asyncio.sleep(0.01)

    async def _tell_some(self, ids):
        outcomes = {"outcomes": [{"id": key, "value": True} for key in ids]}
        tries = 0
        while (answer := await post(self.port, "/models/flights/outcomes", outcomes)) is None:
            self.failed += 1  # they may have been recorded or not: telling them again does no harm
            tries += 1
            assert tries < 1000, "no worker answers"
        status, body = answer
        assert status == 200, body
        found = json.loads(body)
        # Whichever worker predicted, however dead it is and wherever the records are: all are known.
        assert (found["unmatched"], found["conflicts"]) == ([], [])
        assert found["matched"] + found["duplicates"] == len(ids)
        self.told += ids


def kill_workers(server, times, chance):
    end = time.monotonic() + 30 + 10 * times
    while times:
        assert time.monotonic() < end, "the workers do not come back"
        time.sleep(chance.random() * 0.4)
        if len(workers := server.workers()) == 2:
            with suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()
                times -= 1


def kill_movers(home, times, chance):
    for _ in range(times):
        process = subprocess.Popen([sys.executable, "-c", MOVER, str(home)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.random() * chance.choice((0.3, 3.0)))  # in its first move, or in a later one
        assert process.poll() is None, "the mover has ended by itself"
        process.kill()
        process.wait()
        process.stdout.close()


def survive(folder, kills):
    seed = int(os.environ.get("VITOK_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}; repeat with VITOK_SEED={seed}")
    home = folder / ".vitok"
    write_plan(home, flight_bundle(Blobs(home / "blobs")))
    started = time.perf_counter()
    with running(folder, workers=2) as server:
        load, failures = Load(server.port), []

        def kill(how, place, part):
            try:
                how(place, kills // 2, random.Random(seed + part))
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=kill, args=(kill_workers, server, 0)),
            threading.Thread(target=kill, args=(kill_movers, home, 1)),
        ]

        def stop():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            load.done.set()

        async def run():
            await asyncio.gather(load.run(), asyncio.to_thread(stop))

        asyncio.run(run())
    assert not failures, failures
    lake = Lake(home / "lake")
    before = lake.read("predictions").height if lake.exists("predictions") else 0
    last = move(home / "journal", lake, NOW)
    assert (last.problems, last.is_busy, spools(home / "journal")) == ((), False, {})
    found, told = lake.read("predictions")["id"], lake.read("outcomes")["id"]
    print(
        f"{kills} kills in {time.perf_counter() - started:.0f} s: {len(load.predicted)} predictions and "
        f"{len(load.told)} outcomes acknowledged, {load.failed} requests failed; in the lake "
        f"{found.len()} and {told.len()}, of those {before} predictions by movers that were killed"
    )
    assert len(load.predicted) > 10 * kills
    assert found.n_unique() == found.len()
    assert told.n_unique() == told.len()
    assert set(load.predicted) <= set(found)
    assert set(load.told) == set(told)
    assert found.len() - len(load.predicted) <= load.failed_rows


@pytest.mark.slow
def test_twenty_kills_lose_and_double_nothing_that_was_acknowledged(tmp_path):
    survive(tmp_path, 20)


@pytest.mark.soak
def test_two_hundred_kills_lose_and_double_nothing_that_was_acknowledged(tmp_path):
    survive(tmp_path, 200)
