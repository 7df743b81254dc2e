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
        ("GET /long", b"x", 1),
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


class _Told:
    """A transport that tells what is sent."""

    def __init__(self, transport, sent):
        self._transport, self._sent = transport, sent

    def write(self, data):
        self._sent.append(data)
        self._transport.write(data)


@asynccontextmanager
async def _listening(app):
    config = uvicorn.Config(app, lifespan="off")
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: connections.Connection(config, state, {}, loop), "127.0.0.1", 0
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
