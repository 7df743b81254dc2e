"""Connections that bring nothing: heads without end, heads that never come, more than a worker can hold."""

import asyncio
import json
import resource
import socket
import time
from contextlib import asynccontextmanager, closing, suppress

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from examples import FLIGHT, flight_bundle, write_plan
from serving import running
from vitok.serve import connections
from vitok.serve.connections import HEAD_SECONDS
from vitok.serve.gate import STATE, Gate
from vitok.store.blobs import Blobs

pytestmark = pytest.mark.xdist_group("serving")
PATH = "/models/flights/predict"


def test_a_worker_takes_as_many_files_as_the_system_gives_and_keeps_some(monkeypatch):
    limits, taken = {"soft": 1024, "hard": 4096}, []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limits["soft"], limits["hard"]))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: taken.append(pair))
    assert connections.most_connections() == 4096 - 128
    assert taken == [(4096, 4096)]
    limits.update(soft=resource.RLIM_INFINITY, hard=resource.RLIM_INFINITY)
    assert connections.most_connections() == 65_536 - 128
    limits.update(soft=100, hard=100)
    assert connections.most_connections() == 128


def test_more_connections_than_a_worker_can_hold_are_closed_and_told_once(monkeypatch, caplog):
    monkeypatch.setattr(connections.Connection, "_most", 2)
    monkeypatch.setattr(connections.Connection, "_told_until", 0.0)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def work():
        async with _listening(app) as port:
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
            ended = [await asyncio.wait_for(_first_byte(*each), 5) for each in opened]
            for _, writer in opened:
                writer.close()
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            again = await asyncio.wait_for(_first_byte(reader, writer), 5)
            writer.close()
            await writer.wait_closed()
        return ended, again

    ended, again = asyncio.run(work())
    assert ended == [b"H", b"H", b"", b""]
    assert again == b"H"  # there is room when others have gone
    assert [each.message for each in caplog.records].count(
        "more than 2 connections: new ones are closed"
    ) == 1


ANSWERS = {
    "/whole": ([(b"content-length", b"4")], [b"body"]),
    "/parts": ([(b"content-length", b"8")], [b"body", b"more"]),
    "/stream": ([], [b"body", b""]),
    "/empty": ([(b"content-length", b"0")], [b""]),
    "/long": ([(b"content-length", b"9000000")], [b"x" * 9_000_000]),
    "/broken": ([(b"content-length", b"4")], []),
}


@pytest.mark.parametrize(
    ("request_", "expected", "calls"),
    [
        ("GET /whole", b"\r\n\r\nbody", 1),
        ("GET /parts", b"\r\n\r\nbodymore", 2),
        ("GET /stream", b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n", 3),
        ("GET /empty", b"\r\n\r\n", 1),
        ("HEAD /whole", b"\r\n\r\n", 1),
        ("GET /long", b"x", 2),
        ("GET /broken", b"\r\n\r\n", 1),  # the head went; what was announced never came
    ],
)
@pytest.mark.parametrize("more", ["", "connection: close\r\n"], ids=["kept", "closed"])
def test_head_goes_out_with_what_follows_it(monkeypatch, request_, expected, calls, more):
    sent = []
    write = connections._AtOnce.write

    def counted(self, data):
        transport, self._transport = self._transport, _Told(self._transport, sent)
        try:
            write(self, data)
        finally:
            self._transport = transport

    monkeypatch.setattr(connections._AtOnce, "write", counted)

    async def app(scope, receive, send):
        headers, parts = ANSWERS[scope["path"]]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for place, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": place < len(parts)})

    async def work():
        async with _listening(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"{request_} HTTP/1.1\r\nhost: a\r\n{more}\r\n".encode())
            await reader.readuntil(b"HTTP/1.1 200 OK\r\n")
            found = await reader.readuntil(expected)
            writer.close()
            return found

    assert asyncio.run(asyncio.wait_for(work(), 20)).endswith(expected)
    if not request_.startswith("HEAD"):
        assert len(sent) == calls


def test_head_of_a_stream_does_not_wait_for_its_first_part():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(3600)

    async def work():
        async with _listening(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return head

    assert b"transfer-encoding: chunked" in asyncio.run(asyncio.wait_for(work(), 20))


class _Held:
    """An application that answers predictions when it is told to, and everything else at once."""

    def __init__(self):
        self.go, self.came = asyncio.Event(), []

    async def __call__(self, scope, receive, send):
        self.came.append(scope["path"])
        if scope["method"] == "POST":
            message = await receive()
            while message.get("more_body"):
                message = await receive()
            await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def _post(path=PATH, body=b"{}", more=b""):
    head = b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n%s\r\n"
    return head % (path.encode(), len(body), more) + body


async def _answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head[9:12]), head, await reader.readexactly(size)


def _gated(work, most=1):
    """Runs work(app, connect, gate) against a server with a gate for so many requests."""

    async def run():
        app, gate = _Held(), Gate(lambda: most, lambda path: path.encode())
        async with _listening(app, {STATE: gate}) as port:
            opened = []

            async def connect(sent=b""):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                opened.append(writer)
                writer.write(sent)
                await asyncio.sleep(0.02)
                return reader, writer

            found = await asyncio.wait_for(work(app, connect, gate), 20)
            app.go.set()
            for writer in opened:
                writer.close()
            await asyncio.sleep(0.05)
            assert gate.inside == 0
            return found

    return asyncio.run(run())


def test_whoever_comes_while_all_places_are_taken_is_turned_away_unread():
    async def work(app, connect, gate):
        first, _ = await connect(_post())
        second, writer = await connect(_post())
        begun = time.monotonic()
        status, head, body = await _answer(second)
        waited, came = time.monotonic() - begun, list(app.came)
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n")
        live = await _answer(second)
        app.go.set()
        done = await _answer(first)
        writer.write(_post())
        again = await _answer(second)
        assert (status, body, came) == (429, PATH.encode(), [PATH])
        assert b"retry-after: 1" in head
        assert b"nosniff" in head
        assert waited > 0.05  # whoever asks again at once must not take the time of those inside
        assert [live[0], done[0], again[0]] == [200, 200, 200]

    _gated(work)


def test_what_the_gate_does_not_know_is_left_to_the_application():
    others = [
        _post("/releases/1/promote"),
        _post(body=b" " * 70_000),
        _post(more=b"expect: 100-continue\r\n"),
        b"POST %s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" % PATH.encode(),
    ]

    async def work(app, connect, gate):
        await connect(_post())
        for number, each in enumerate(others, 2):
            await connect(each)
            await asyncio.sleep(0.05)
            assert len(app.came) == number

    _gated(work)


def test_requests_behind_a_refusal_are_refused_in_their_order_and_the_last_word_counts():
    async def work(app, connect, gate):
        await connect(_post())
        reader, _ = await connect(
            _post("/models/a/predict") + _post("/models/b/predict", more=b"connection: close\r\n")
        )
        told = [(await _answer(reader))[2] for _ in range(2)]
        rest = await reader.read()
        assert (told, rest, app.came) == ([b"/models/a/predict", b"/models/b/predict"], b"", [PATH])

    _gated(work)


def test_streams_half_bodies_and_callers_who_went_away_hold_no_place():
    async def work(app, connect, gate):
        await connect(_post()[:-1])
        _, gone = await connect(_post())
        assert gate.inside == 1
        gone.close()
        await asyncio.sleep(0.05)
        refused, other = await connect(_post())
        other.close()  # before its turn came
        del refused
        await asyncio.sleep(0.2)
        reader, _ = await connect(b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n")
        assert (await _answer(reader))[0] == 200
        assert gate.inside == 0

    _gated(work)


class _Told:
    """A transport that tells what is sent."""

    def __init__(self, transport, sent):
        self._transport, self._sent = transport, sent

    def write(self, data):
        self._sent.append(data)
        self._transport.write(data)


@asynccontextmanager
async def _listening(app, handed=()):
    config = uvicorn.Config(app, lifespan="off")
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: connections.Connection(config, state, dict(handed), loop), "127.0.0.1", 0
    )
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def _first_byte(reader, writer):
    with suppress(OSError):
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        return await reader.read(1)
    return b""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("connections")
    home = folder / ".vitok"
    write_plan(home, flight_bundle(Blobs(home / "blobs")))
    with running(folder) as found:
        yield found


def connected(server):
    return closing(socket.create_connection(("127.0.0.1", server.port), timeout=30))


def read_all(connection):
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("kind", ["many headers", "one header", "one address"])
def test_head_without_end_is_refused(server, kind):
    with connected(server) as connection:
        connection.sendall(b"POST /" if kind == "one address" else b"POST / HTTP/1.1\r\nhost: localhost\r\n")
        piece = {
            "many headers": b"x-a: " + b"b" * 1000 + b"\r\n",
            "one header": b"x" * 1007,
            "one address": b"x" * 1007,
        }
        sent = 0
        try:
            if kind == "one header":
                connection.sendall(b"x-a: ")
            while sent < 20 * 2**20:
                connection.sendall(piece[kind])
                sent += len(piece[kind])
        except OSError:
            pass
        assert sent < 20 * 2**20  # it was cut off on the way
    assert httpx.get(f"{server.url}/health/ready").status_code == 200


def test_head_that_is_somewhat_too_long_hears_why(server):
    with connected(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-a: ")
        time.sleep(0.2)
        connection.sendall(b"b" * 70_000)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert "headers: are longer than 65536 bytes" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_connections_whose_head_does_not_come_are_ended_and_others_stay(server):
    beginnings = (b"", b"POST /mod", b"POST /models/flights/predict HTTP/1.1\r\nhost: a\r\n", b"\r\n")
    halves = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in beginnings]
    for half, beginning in zip(halves, beginnings, strict=True):
        half.sendall(beginning)
    limits = httpx.Limits(keepalive_expiry=60)
    with httpx.Client(base_url=server.url, limits=limits) as client:
        assert client.get("/health/live").status_code == 200
        (kept,) = client._transport._pool.connections
        begun = time.monotonic()
        for half in halves:
            assert read_all(half) == b""
            half.close()
        assert time.monotonic() - begun < HEAD_SECONDS + 20
        assert client.post(PATH, json={"rows": [FLIGHT]}).status_code == 200
        assert client._transport._pool.connections == [kept]  # idle between requests, and still there


def test_second_head_on_a_connection_has_to_come_too(server):
    with connected(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"live":true}'):
            answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /health")
        assert read_all(connection) == b""
