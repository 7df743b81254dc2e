"""The status page, the headers of every answer, and requests that come from pages of other sites."""

import csv
import io
import json

import pytest
from test_serve_app import post, scenario
from test_serve_v2 import binary

from examples import FLIGHT, flight_bundle, write_plan
from vitok.store.blobs import Blobs
from vitok.store.heartbeat import Heartbeat, write_heartbeat

PATH = "/models/flights/predict"


@pytest.fixture
def home(tmp_path):
    write_plan(tmp_path, flight_bundle(Blobs(tmp_path / "blobs")))
    return tmp_path


def test_status_tells_who_answers_and_how_much_was_asked(home):
    async def work(app, client):
        for _ in range(3):
            await client.post(PATH, json={"rows": [FLIGHT, FLIGHT]})
        await client.post(PATH, json={"rows": []})
        app.watcher.current.champion.breaker.failed()
        before = (await client.get("/status")).text
        for _ in range(4):
            app.watcher.current.champion.breaker.failed()
        write_heartbeat(home, Heartbeat(0.0, {"drift\tmajor\topen": 2}))
        return before, (await client.get("/status")).text

    before, after = scenario(home, work)
    for told in (
        "Status of flights",
        "All versions of the release plan answer.",
        "<td>version 1</td><td>champion</td><td>100 %</td><td>answers</td><td>6</td><td>0</td>",
        "<td>200</td><td>3</td>",
        "<td>400</td><td>1</td>",
        "99 % within",
        "has never run",
    ):
        assert told in before, told
    assert "Version 1 rests after failures" in after
    assert "<td>open alerts</td><td>2</td>" in after


def test_status_without_a_release_says_what_to_do(tmp_path):
    async def work(app, client):
        return await client.get("/status")

    answer = scenario(tmp_path, work)
    assert answer.status_code == 200
    assert "No model is served: no version has been released." in answer.text


@pytest.mark.parametrize(
    "path", ["/health/live", "/metrics", "/docs", "/status", "/nothing", "/openapi.json"]
)
def test_every_answer_has_headers_that_keep_browsers_from_guessing(home, path):
    async def work(app, client):
        return await client.get(path)

    answer = scenario(home, work)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://vitok"}, 200),
        ({"origin": "http://VITOK", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://vitok.evil.example", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://vitok:81", "sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("address", ["predict", "outcomes"])
def test_pages_of_other_sites_cannot_send_rows_or_outcomes(home, headers, status, address):
    content = {"rows": [FLIGHT]} if address == "predict" else {"outcomes": [{"id": "1", "value": True}]}
    answer = post(home, f"/models/flights/{address}", content, **{**headers, "content-type": "text/plain"})
    assert answer.status_code == status
    if status == 403:
        assert "page of another site" in answer.json()["error"]


def bodies():
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(["distance"])
    lines.write("1\n" * 3_000_000)
    empty = b"\0\0\0\0" * 2_000_000
    texts, length = binary([("carrier", "BYTES", 2_000_000, empty)])
    lying, shorter = binary([("carrier", "BYTES", 1, empty)])
    numbers, head = binary([("temp", "INT8", 3_000_000, b"\0" * 3_000_000)])
    infer, v2 = "/v2/models/flights/infer", "inference-header-content-length"
    rows = json.dumps({"dataframe_split": {"columns": ["a"], "data": [[1]] * 1_000_000}}).encode()
    return {
        "tensor": (infer, numbers, {v2: head.decode()}, 413),
        "texts": (infer, texts, {v2: length.decode()}, 413),
        "more texts than said": (infer, lying, {v2: shorter.decode()}, 400),
        "lines": ("/invocations", lines.getvalue().encode(), {"content-type": "text/csv"}, 413),
        "split": ("/invocations", rows, {"content-type": "application/json"}, 413),
    }


def test_of_a_key_that_stands_twice_the_last_counts(home):
    once = json.dumps({"rows": [FLIGHT | {"distance": 800}]}).encode()
    twice = once.replace(b'"distance": 800', b'"distance": 1, "distance": 800')
    assert twice != once
    scores = [post(home, PATH, body).json()["predictions"][0]["score"] for body in (once, twice)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("kind", ["tensor", "texts", "more texts than said", "lines", "split"])
def test_millions_of_rows_are_refused_before_memory_is_spent_on_them(home, kind, monkeypatch):
    """None of them becomes rows: the check of the schema, which takes most, is not reached."""
    path, body, headers, status = bodies()[kind]

    async def work(app, client):
        schema = app.watcher.current.champion.schema
        monkeypatch.setattr(type(schema), "check", lambda *_: pytest.fail("rows were made"))
        return await client.post(path, content=body, headers=headers)

    assert scenario(home, work).status_code == status
