"""What the other protocols say of answers that are not the model's, and compressed bodies piece by piece."""

import asyncio
import gzip
import zlib

import pytest
from test_serve_app import post

from examples import FLIGHT, flight_bundle, manifest, write_plan
from vitok.release.policy import Answer, Policy
from vitok.serve.codings import accepted_coding, answer_coded
from vitok.serve.http import HttpProblem
from vitok.serve.page import docs_page
from vitok.store.blobs import Blobs

TENSORS = [
    {"name": "distance", "datatype": "INT32", "shape": [1], "data": [800]},
    {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["UA"]},
]


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A project whose model fails, so that a person decides."""
    from vitok.errors import Fault
    from vitok.model.runtime import Model

    write_plan(
        tmp_path, flight_bundle(Blobs(tmp_path / "blobs")), policy=Policy(default=Answer(hand_over=True))
    )
    real = Model.score

    def fail(self, rows):
        if rows.values("distance")[0] == 801:
            raise Fault("model", "is broken", "Mend it.")
        return real(self, rows)

    monkeypatch.setattr(Model, "score", fail)
    return tmp_path


def test_open_inference_says_that_a_person_decides(failing):
    tensors = [TENSORS[0] | {"data": [801]}, TENSORS[1]]
    answer = post(failing, "/v2/models/flights/infer", {"inputs": tensors}).json()
    data = {output["name"]: output["data"] for output in answer["outputs"]}
    assert (data["score"], data["decision"], data["action"]) == ([None], [""], ["hand_over"])


def test_invocations_say_that_a_person_decides(failing):
    row = FLIGHT | {"distance": 801}
    body = {"instances": [row], "params": {"actions": True}}
    assert post(failing, "/invocations", body).json() == {"predictions": [None], "actions": ["hand_over"]}
    body["params"]["scores"] = True
    assert post(failing, "/invocations", body).json()["predictions"] == [None]


def test_what_no_model_scored_is_not_explained(failing):
    answer = post(failing, "/models/flights/explain", {"rows": [FLIGHT | {"distance": 801}]}).json()
    assert "explanation" not in answer["predictions"][0]


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (b"gzip", "gzip"),
        (b"deflate", "deflate"),
        (b"br, deflate;q=0.2, gzip;q=0.1", "deflate"),
        (b"gzip;q=0", None),
        (b"gzip;q=x", None),
        (b"identity", None),
        (b"*", None),
        (b"\xff", None),
    ],
)
def test_coding_is_chosen_as_the_client_prefers(header, coding):
    assert accepted_coding(header) == coding


async def echo(scope, receive, send):
    message = await receive()
    content = message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": content})


def through(pieces, headers, limit=1_000_000, app=echo):
    """Sends a body in pieces through the codings; gives headers and body of the answer."""
    waiting, sent = list(pieces), []

    async def receive():
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": headers}
    asyncio.run(answer_coded(app, scope, receive, send, limit))
    return dict(sent[0]["headers"]), b"".join(part["body"] for part in sent[1:])


GZIPPED = [(b"content-encoding", b"gzip")]


@pytest.mark.parametrize("size", [1, 7, 1000, 5000, 10**6])
def test_body_in_pieces_is_put_together(size):
    content = bytes(range(256)) * 500
    packed = gzip.compress(content)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert through(pieces, GZIPPED)[1] == content


def test_bare_deflate_in_pieces_is_put_together():
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"abc" * 5000) + packer.flush()
    headers = [(b"content-encoding", b"deflate")]
    assert through([packed[:30], packed[30:]], headers)[1] == b"abc" * 5000


@pytest.mark.parametrize("limit", [99, 100, 101])
def test_limit_is_for_the_inflated_body(limit):
    body = [gzip.compress(b" " * 100)]
    if limit >= 100:
        assert len(through(body, GZIPPED, limit)[1]) == 100
        return
    with pytest.raises(HttpProblem, match="larger than 99 bytes once inflated") as caught:
        through(body, GZIPPED, limit)
    assert caught.value.status == 413


def test_endless_compressed_nothing_is_refused_too():
    empty = zlib.compressobj(wbits=31)
    blocks = [empty.compress(b"") + empty.flush(zlib.Z_FULL_FLUSH) for _ in range(100)]
    with pytest.raises(HttpProblem, match="larger than"):
        through(blocks, GZIPPED, 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_long_answer_is_packed_and_short_one_is_not(coding):
    headers = [(b"accept-encoding", coding.encode())]
    for content in (b"short", b"long" * 5000, b"very long" * 50_000):
        found, body = through([content], headers)
        if len(content) < 8192:
            assert (body, b"content-encoding" in found) == (content, False)
            continue
        assert (found[b"content-encoding"], found[b"vary"]) == (coding.encode(), b"accept-encoding")
        assert int(found[b"content-length"]) == len(body) < len(content)
        assert zlib.decompress(body, 47) == content


def test_answer_in_pieces_or_packed_already_is_left_alone():
    async def streaming(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
        await send({"type": "http.response.body", "body": b"y"})

    async def packed(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-encoding", b"br")]})
        await send({"type": "http.response.body", "body": b"x" * 10_000})

    asked = [(b"accept-encoding", b"gzip")]
    assert through([b""], asked, app=streaming)[1] == b"x" * 10_000 + b"y"
    assert through([b""], asked, app=packed)[0] == {b"content-encoding": b"br"}


@pytest.mark.parametrize("host", [b"<b>", b"a' ; rm -rf /", b"x" * 300, b""])
def test_odd_host_does_not_reach_the_page(host):
    body = docs_page("flights", manifest(), host).body
    assert not host or host not in body
    assert b"http://localhost:8000/models/flights/predict" in body
    assert b"http://[::1]:81/invocations" in docs_page("flights", manifest(), b"[::1]:81").body
