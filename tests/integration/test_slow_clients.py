"""Clients that send slowly, half, or too much hold nobody up."""

import asyncio
import json

import pytest

from examples import FLIGHT, flight_bundle, write_plan
from vitok.kernel.clock import system_clock
from vitok.release.policy import Policy
from vitok.serve import readers
from vitok.serve.app import create_app
from vitok.store.blobs import Blobs

BODY = json.dumps({"rows": [FLIGHT]}).encode()
SCOPE = {"type": "http", "method": "POST", "path": "/models/flights/predict", "headers": []}


async def ask(app, receive):
    sent = []

    async def send(message):
        sent.append(message)

    await app(dict(SCOPE), receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def whole():
    return {"body": BODY, "more_body": False}


async def never():
    await asyncio.sleep(3600)


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "_LONGEST_SECONDS", 0.3)
    monkeypatch.setattr(readers, "_LOOK_SECONDS", 0.1)
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")), policy=Policy(queue=2))
    return create_app(tmp_path, system_clock)


def test_half_sent_requests_hold_no_place_and_are_ended(app):
    async def work():
        await app.start()
        half = [asyncio.create_task(ask(app, never)) for _ in range(50)]
        await asyncio.sleep(0.05)
        answered = await ask(app, whole)
        slow = await asyncio.wait_for(asyncio.gather(*half), 5)
        again = await ask(app, whole)
        await app.stop()
        return answered, slow, again

    answered, slow, again = asyncio.run(work())
    assert answered[0] == again[0] == 200
    assert {status for status, _ in slow} == {408}
    assert "did not come" in slow[0][1]["error"]


def test_cancelling_a_request_from_outside_still_cancels_it(app):
    async def work():
        await app.start()
        task = asyncio.create_task(ask(app, never))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await app.stop()

    asyncio.run(work())


def test_bodies_are_no_more_together_than_a_worker_can_hold(app, monkeypatch):
    monkeypatch.setattr(readers, "MOST_BYTES", 3000)

    def piecewise(*parts):
        left = list(parts)

        async def receive():
            if not left:
                await asyncio.sleep(3600)
            return {"body": left.pop(0), "more_body": True}

        return receive

    async def work():
        await app.start()
        held = [asyncio.create_task(ask(app, piecewise(b"{" + b" " * 999))) for _ in range(3)]
        await asyncio.sleep(0.05)
        refused = await ask(app, piecewise(b"{" + b" " * 999))
        small = await ask(app, whole)  # comes at once, and is no burden
        await asyncio.wait_for(asyncio.gather(*held), 5)
        after = await asyncio.wait_for(ask(app, piecewise(b"{" + b" " * 999)), 5)
        await app.stop()
        return refused, small, after

    refused, small, after = asyncio.run(work())
    assert refused[0] == 429
    assert "too large together" in refused[1]["error"]
    assert small[0] == 200
    assert after[0] == 408  # there is room again
