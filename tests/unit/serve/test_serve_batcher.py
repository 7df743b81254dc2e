"""Requests that come one by one go through at once; those that come together are scored and journalled together."""

import asyncio
from datetime import UTC, datetime

import pytest

from examples import FLIGHT, flight_bundle, write_plan
from vitok.serve.batcher import Batcher
from vitok.serve.deployment import load_deployment
from vitok.serve.mirror import Mirror
from vitok.serve.recorder import Recorder
from vitok.serve.trouble import Trouble
from vitok.store.blobs import Blobs

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Commits:
    """A spool that keeps how many records each commit had."""

    def __init__(self, durable=False):
        self.durable = durable
        self.sizes = []

    def append(self, records):
        self.sizes.append(len(records))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    home = tmp_path_factory.mktemp("batcher")
    blobs = Blobs(home / "blobs")
    return load_deployment(write_plan(home, flight_bundle(blobs)), blobs, {}, Trouble(home / "trouble"))


def asked(spool, deployment, work):
    """Runs `work(ask)`, where `ask()` answers one row."""

    async def run():
        recorder = Recorder(spool)
        batcher = Batcher("w", recorder, Mirror("w", recorder, lambda predictions, missed: None))
        rows = deployment.champion.schema.check([FLIGHT])
        return await work(lambda: batcher.answer(deployment, rows, NOW))

    return asyncio.run(run())


def test_a_request_alone_is_answered_without_waiting_for_the_loop(deployment):
    spool = Commits()

    async def one_by_one(ask):
        for _ in range(3):
            with pytest.raises(StopIteration) as ended:
                ask().send(None)
            assert ended.value.value.predictions[0].decision is True
            await asyncio.sleep(0)

    asked(spool, deployment, one_by_one)
    assert spool.sizes == [1, 1, 1]


def test_requests_of_one_turn_are_recorded_together_and_the_next_crowd_as_a_whole(deployment):
    spool = Commits()

    async def crowds(ask):
        for _ in range(3):
            answers = await asyncio.gather(*(ask() for _ in range(8)))
            assert len({answer.predictions[0].id for answer in answers}) == 8

    asked(spool, deployment, crowds)
    assert spool.sizes == [1, 7, 8, 8]


def test_when_the_crowd_is_gone_requests_go_through_at_once_again(deployment):
    spool = Commits()

    async def crowd_and_one(ask):
        await asyncio.gather(*(ask() for _ in range(8)))
        await ask()
        with pytest.raises(StopIteration):
            ask().send(None)

    asked(spool, deployment, crowd_and_one)
    assert spool.sizes == [1, 7, 1, 1]


def test_where_records_must_reach_the_disk_every_answer_waits_for_it(deployment):
    spool = Commits(durable=True)

    async def one(ask):
        coroutine = ask()
        waiting = coroutine.send(None)
        assert not waiting.done()
        while not waiting.done():
            await asyncio.sleep(0.001)
        with pytest.raises(StopIteration):
            coroutine.send(None)

    asked(spool, deployment, one)
    assert spool.sizes == [1]
